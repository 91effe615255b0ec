// DynamicConfig: from the bootstrap's dynamic_resources to snapshots. Opens the feeds that the bootstrap and the
// resources themselves name, asks each for what is referred to, and hands what they bring to the SnapshotBuilder. The
// first snapshot is published when the first resources came, or did not in time; with --state-dir, and no control plane
// in reach, it is the last good one from the disk. Owned by the sidecar; main thread.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/event/file_watch.h"
#include "core/net/connection.h"
#include "core/net/network.h"
#include "proxy/sources/feed.h"
#include "proxy/sources/snapshot_builder.h"
#include "proxy/sources/state_store.h"

namespace remora::sources {

struct FeedFacts {
  std::string source;  // "ads delta_grpc via xds_cluster"
  XdsClientFacts client;
};

class DynamicConfig {
 public:
  // What it lives on; outlives it (`connections` is copied, what it refers to is not).
  struct World {
    Loop& loop;
    Random& random;
    net::Network& network;
    net::ConnectionContext connections;
    FileWatcher* files = nullptr;  // null: files are only looked at
  };
  struct Events {
    std::function<void(std::shared_ptr<const model::Snapshot>)> publish;
    // The clusters may have changed: for whoever discovers their endpoints. In the turn's end, before `publish`.
    std::function<void()> clusters_changed;
    Log log;
  };
  // Makes the feed of a source; replaced by tests.
  using MakeFeed = std::function<std::unique_ptr<Feed>(std::optional<ResourceType> only, const xds::ConfigSource&)>;

  // `state_dir` empty: nothing is kept on the disk. `make_feed` empty: the real ones.
  DynamicConfig(const World& world, xds::Bootstrap bootstrap, Events events, std::string state_dir = {},
                MakeFeed make_feed = {});
  DynamicConfig(const DynamicConfig&) = delete;
  DynamicConfig& operator=(const DynamicConfig&) = delete;
  ~DynamicConfig();

  // What feeds report to.
  std::vector<Rejection> apply(const ResourceUpdate& update, const std::vector<Rejection>& unread = {});
  void feed_failed();

  // What was found out about a cluster's endpoints: SnapshotBuilder's, and kept on the disk.
  void set_endpoints(const std::string& cluster, std::vector<model::Endpoint> endpoints, std::string why_empty = {});
  void set_not_found(const std::string& cluster, std::string why) { builder_.set_not_found(cluster, std::move(why)); }

  SnapshotBuilder& builder() { return builder_; }
  const SnapshotBuilder& builder() const { return builder_; }
  bool initialized() const { return initialized_; }
  bool connected() const;  // every stream that should be open is
  std::vector<FeedFacts> feeds() const;

 private:
  using Kind = xds::ConfigSource::Kind;
  // One feed serves the aggregated stream's types; others have one type each.
  using FeedKey = std::pair<std::optional<ResourceType>, xds::ConfigSource>;

  std::unique_ptr<Feed> make_real_feed(std::optional<ResourceType> only, const xds::ConfigSource& source);
  // None: they are being looked for, for the first time.
  std::optional<std::vector<Address>> addresses_of(const std::vector<std::string>& clusters) const;
  Feed& feed(ResourceType type, const xds::ConfigSource& source);
  void start(ResourceType type, const xds::ConfigSource& source);
  void references_changed();
  void check_initialized();
  void on_fetch_timeout();
  void restore();
  void save_soon();
  void save();
  void log(LogLevel level, std::string words) const {
    if (events_.log) {
      events_.log(level, std::move(words));
    }
  }

  const World world_;
  const xds::Bootstrap bootstrap_;
  const Events events_;
  const MakeFeed make_feed_;
  SnapshotBuilder builder_;
  std::optional<StateStore> store_;
  std::optional<State> saved_;  // from the disk, until it was used or is of no use

  std::map<FeedKey, std::unique_ptr<Feed>> feeds_;
  Wanted asked_;
  std::array<bool, kResourceTypes> came_{};     // a first response of the type
  std::array<bool, kResourceTypes> awaited_{};  // and whether start waits for one
  bool initialized_ = false;
  Timer fetch_timer_;
  Timer save_timer_;
};

}  // namespace remora::sources
