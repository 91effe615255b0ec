// SnapshotBuilder: keeps the bootstrap's static resources and the last good version of every dynamic one, and makes of
// them Snapshots that are always whole. An invalid resource is rejected by name and its last good version stays; one
// whose references are not there yet waits while the last good version serves; a removed cluster lives until nothing
// refers to it. Publishes once a turn, and only what changed: whatever stayed as it was keeps its pointer, by which
// workers know it. Owned by the sidecar; main thread.
// Source: Envoy's xDS protocol documentation ("Eventual consistency considerations", "Resource warming"); unlike Envoy,
// whose RDS takes routes to unknown clusters, routes wait here, unless they say validate_clusters: false.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "core/event/loop.h"
#include "proxy/model/snapshot.h"
#include "proxy/sources/resources.h"
#include "proxy/xds/bootstrap.h"

namespace remora::sources {

// What must be asked for, and where: names of each type from each source. Clusters and listeners are not here: all of
// them are wanted.
using Wanted = std::map<std::pair<ResourceType, xds::ConfigSource>, std::set<std::string>>;

// One dynamic resource, for pages and for the disk.
struct ResourceFacts {
  struct Failure {
    std::string reason;
    std::string version;
    WallTime at;
  };

  std::string name;
  std::string version;  // of the last good one
  WallTime updated;
  const google::protobuf::Any* body = nullptr;  // of the last good one; null: there is none. Valid until the next turn
  bool serving = false;                         // this version, not an older one
  std::string waits_for;                        // "cluster 'b'"; why it does not serve
  std::optional<Failure> failure;               // of the last update, when that was rejected
};

struct TypeFacts {
  std::string version;  // of the last response
  WallTime updated;     // when that came; the epoch: never
  std::uint64_t updates = 0;
  std::uint64_t rejected = 0;  // resources, since the start
  std::size_t rejected_now = 0;
  std::size_t waiting = 0;
  std::vector<ResourceFacts> resources;  // sorted by name
};

class SnapshotBuilder {
 public:
  // Routes, and listeners, that never served wait this long for clusters, then serve without them, as in Envoy.
  static constexpr Milliseconds kReferenceTimeout{15'000};

  static constexpr Milliseconds kFallbackAfter{3000};

  struct Events {
    // A new one to run. In the turn's end.
    std::function<void(std::shared_ptr<const model::Snapshot>)> publish;
    // `wanted` may have changed. In the turn's end, before `publish`.
    std::function<void()> references_changed;
  };

  SnapshotBuilder(Loop& loop, const xds::Bootstrap& bootstrap, Events events);
  SnapshotBuilder(const SnapshotBuilder&) = delete;
  SnapshotBuilder& operator=(const SnapshotBuilder&) = delete;

  // Takes what is valid; the rest is returned, and its last good versions stay. `unread`: resources of the update whose
  // source could not read them.
  std::vector<Rejection> apply(const ResourceUpdate& update, const std::vector<Rejection>& unread = {});

  // From whoever discovers a cluster's endpoints: DNS, Consul, or in place of EDS. An empty list ends its warming too;
  // `why_empty` is for those whose requests fail then.
  void set_endpoints(const std::string& cluster, std::vector<model::Endpoint> endpoints, std::string why_empty = {});
  // Whoever looks for a cluster's endpoints could not find out: its warming ends, with the endpoints of set_fallback if
  // it has some. What was found before stays.
  void set_not_found(const std::string& cluster, std::string why);

  // Last good endpoints of the time before, for clusters whose own are not found in kFallbackAfter.
  void set_fallback(std::map<std::string, std::vector<model::Endpoint>> endpoints);

  // There are some, and nothing was found in this run.
  bool has_fallback(const std::string& cluster) const;

  // Publishes are held back while true, as at the start, until the first resources came.
  void hold(bool held);

  // Nothing waits for its first endpoints or references.
  bool settled() const { return first_waits_ == 0; }
  const Wanted& wanted() const { return wanted_; }
  TypeFacts facts(ResourceType type) const;
  std::uint64_t version() const { return published_ == nullptr ? 0 : published_->version; }
  // Where a cluster's endpoints are now; empty when it does not serve.
  std::vector<Address> addresses(const std::string& cluster) const;
  // What set_endpoints brought, by cluster, and where that is nothing yet, set_fallback: what a next start begins with.
  std::map<std::string, std::shared_ptr<const xds::Endpoints>, std::less<>> discovered() const;
  // The cluster never had an endpoint to serve with, but may have some soon.
  bool warming(const std::string& cluster) const;
  // The clusters that there are, serving or warming: for whoever discovers their endpoints.
  std::vector<std::shared_ptr<const model::Cluster>> clusters() const;

 private:
  using Any = google::protobuf::Any;

  // What every dynamic resource has.
  struct Entry {
    std::string version;
    WallTime updated{};
    Any body;
    std::optional<ResourceFacts::Failure> failure;
    bool is_static = false;
    bool gone = false;        // removed at its source
    MonotonicTime since{};    // waits since then
    std::string waits_for;    // empty: the latest serves
    bool has_latest = false;  // false: the first one was rejected, and nothing is there
  };
  struct ClusterEntry : Entry {
    xds::ClusterResource latest;
    std::shared_ptr<const model::Cluster> serving;
    std::shared_ptr<const model::Cluster> made_of;  // `serving` is this with those endpoints
    std::shared_ptr<const xds::Endpoints> made_with;
  };
  struct EndpointsEntry : Entry {
    std::shared_ptr<const xds::Endpoints> latest;
  };
  struct RouteEntry : Entry {
    xds::RouteResource latest;
    std::optional<xds::RouteResource> serving;
  };
  struct ListenerEntry : Entry {
    xds::ListenerResource latest;
    std::optional<xds::ListenerResource> serving_of;
    std::shared_ptr<const model::Listener> serving;  // serving_of with its routes
  };
  template <typename E>
  using Entries = std::map<std::string, E, std::less<>>;
  struct TypeState {
    std::string version;
    WallTime updated{};
    std::uint64_t updates = 0;
    std::uint64_t rejected = 0;
  };

  // snapshot_builder.cc: what comes in
  template <typename E, typename Take>
  void take_each(const ResourceUpdate& update, const std::vector<Rejection>& unread, Entries<E>& entries,
                 std::vector<Rejection>& rejections, Take&& take);
  template <typename E>
  void remove_gone(const ResourceUpdate& update, Entries<E>& entries);
  template <typename E>
  void reject(const Resource& resource, E& entry, std::string reason, std::vector<Rejection>& rejections);
  std::string take_cluster(const Resource& resource, ClusterEntry& entry);
  std::string take_endpoints(const Resource& resource, EndpointsEntry& entry);
  std::string take_listener(const Resource& resource, ListenerEntry& entry);
  std::string take_routes(const Resource& resource, RouteEntry& entry);
  const std::string* who_has(const Address& address, std::string_view but) const;
  xds::Environment environment() const;
  template <typename E>
  static TypeFacts facts_of(const TypeState& state, const Entries<E>& entries);

  // snapshot_resolve.cc: what goes out
  void settle();
  void resolve_clusters();
  void resolve_cluster(const std::string& name, ClusterEntry& entry);
  void resolve_routes();
  void resolve_listeners();
  void resolve_listener(const std::string& name, ListenerEntry& entry);
  void collect_wanted();
  void drop_unreferenced();
  void publish();
  std::string missing_cluster(const std::set<std::string>& names) const;
  bool waited(const Entry& entry, Milliseconds limit);
  std::shared_ptr<const xds::Endpoints> endpoints_of(const ClusterEntry& entry) const;

  Loop& loop_;
  const Events events_;
  const std::shared_ptr<const model::Snapshot> base_;  // of the bootstrap: node, admin, its text
  const std::set<std::string> control_clusters_;
  const bool has_ads_;
  std::vector<std::string> static_clusters_;  // in the file's order
  std::vector<std::string> static_listeners_;

  Entries<ClusterEntry> clusters_;
  Entries<EndpointsEntry> endpoints_;  // of EDS, by service name
  Entries<ListenerEntry> listeners_;
  Entries<RouteEntry> routes_;
  Entries<std::shared_ptr<const xds::Endpoints>> discovered_;  // by cluster
  Entries<std::shared_ptr<const xds::Endpoints>> not_found_;   // by cluster: none, and why
  Entries<std::shared_ptr<const xds::Endpoints>> fallback_;    // by cluster
  TypeState types_[kResourceTypes];

  Wanted wanted_;
  std::size_t first_waits_ = 0;
  bool held_ = false;
  std::optional<MonotonicTime> next_deadline_;
  std::shared_ptr<const model::Snapshot> published_;
  Task settle_task_;
  Timer deadline_timer_;
};

}  // namespace remora::sources
