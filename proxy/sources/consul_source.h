// ConsulSource: finds in Consul the endpoints of the clusters that say so, and keeps the last good ones through
// whatever happens to it. Owned by the sidecar; main thread. ConsulCluster: one of those clusters: its targets by
// priority, their filters, what is held back. Owned by the source. Sources: remora.clusters.consul.v3.ConsulCluster;
// Consul's API documentation (/v1/health, /v1/query).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/consul/client.h"
#include "core/event/loop.h"
#include "proxy/model/cluster.h"
#include "proxy/sources/consul_instances.h"
#include "proxy/sources/consul_watches.h"

namespace remora::sources {

// One watch, for pages and metrics.
struct ConsulWatchFacts {
  std::string watch;  // "service api in dc2"
  std::string service;
  std::string datacenter;
  Nanoseconds age{0};     // since Consul last confirmed it; since the watch began when it never did
  bool answered = false;  // ever
  std::size_t instances = 0;
  std::uint64_t changes = 0;
  std::uint64_t failures = 0;
  std::string failing;  // what is wrong now; empty: nothing
};

// One cluster, for pages.
struct ConsulClusterFacts {
  std::string cluster;
  std::size_t endpoints = 0;
  Nanoseconds age{0};                // of its oldest part
  std::string failing;               // what is wrong now, of any part
  bool holding = false;              // an answer without any instance is held back
  std::vector<std::string> skipped;  // instances that cannot be called, and why
};

class ConsulSource;

class ConsulCluster final : WatchUser {
 public:
  ConsulCluster(ConsulSource& source, std::string name, model::ConsulDiscovery discovery);
  ConsulCluster(const ConsulCluster&) = delete;
  ConsulCluster& operator=(const ConsulCluster&) = delete;
  ~ConsulCluster();

  const model::ConsulDiscovery& discovery() const { return discovery_; }
  ConsulClusterFacts facts() const;

 private:
  // One target, or the prepared query.
  struct Part {
    model::ConsulDiscovery::Target target;
    consul::Filter filter;
    std::uint32_t priority = 0;
    ServiceWatch* watch = nullptr;
    ServiceWatch* fallback = nullptr;  // of a connect target without any sidecar: the service itself
    bool uses_fallback = false;        // `last_good` came from there
    bool known = false;                // `last_good` is one
    MonotonicTime suspect_until{};     // till then an answer without instances is not believed
    bool has_earlier = false;          // held: there are endpoints from the disk, which it would replace
    bool holding = false;
    Selection last_good;
  };

  void on_watch(ServiceWatch& watch) override;
  void start(Part& part, WatchKey::Kind kind);
  void evaluate();
  void judge(Part& part);
  void publish();

  ConsulSource& source_;
  const std::string name_;
  const model::ConsulDiscovery discovery_;
  std::vector<std::unique_ptr<Part>> parts_;
  std::optional<std::vector<model::Endpoint>> published_;
  Task evaluate_task_;  // several watches' answers in a turn: one evaluation
  Timer hold_timer_;
};

class ConsulSource {
 public:
  struct Events {
    std::function<void(const std::string& cluster, std::vector<model::Endpoint> endpoints)> set_endpoints;
    // Has it endpoints of the time before this process (from the disk), and none found in this one?
    std::function<bool(const std::string& cluster)> has_earlier = [](const std::string&) { return false; };
    // For the log: what went wrong, or is well again.
    std::function<void(const std::string& words)> tell = [](const std::string&) {};
  };

  ConsulSource(consul::Client& client, Random& random, Events events);
  ConsulSource(const ConsulSource&) = delete;
  ConsulSource& operator=(const ConsulSource&) = delete;
  ~ConsulSource();

  // The clusters that there are now: those whose discovery is Consul are followed, those no longer named are forgotten.
  void follow(std::span<const std::shared_ptr<const model::Cluster>> clusters);

  std::vector<ConsulWatchFacts> watches() const;
  std::vector<ConsulClusterFacts> clusters() const;
  // Of a cluster that is followed.
  std::optional<ConsulClusterFacts> cluster(const std::string& name) const;

 private:
  friend class ConsulCluster;

  bool is_remote(const std::string& datacenter) const;
  void hear(const ServiceWatch& watch);

  consul::Client& client_;
  const Events events_;
  ConsulWatches watches_;
  std::string local_datacenter_;             // learned from the first answer of the agent's own
  std::map<std::string, std::string> told_;  // by watch: the failure that was logged last
  std::map<std::string, std::unique_ptr<ConsulCluster>> clusters_;
};

}  // namespace remora::sources
