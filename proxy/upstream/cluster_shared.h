// ClusterShared: the limits and verdicts on one cluster that hold across workers, and over changes of its
// configuration: counts of its limits, its breaker, its ejections. PreparedCluster: one configuration of it, joined to
// what lives on of earlier ones, for all workers to adopt, each in its own time. SharedState: all clusters by name.
// SharedState belongs to the main thread; a PreparedCluster is immutable; ClusterShared is atomics, for all threads.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/event_log.h"
#include "proxy/model/snapshot.h"
#include "proxy/upstream/circuit_breaker.h"
#include "proxy/upstream/endpoint_state.h"
#include "proxy/upstream/limits.h"
#include "proxy/upstream/outlier_detector.h"

namespace remora::upstream {

// Words for the operator when a cluster's fitness changes: a breaker opens, an endpoint is ejected. Any thread.
using ClusterLog = std::function<void(const std::string&)>;

struct ClusterShared {
  // `connections_in` hears of each, and may be null.
  ClusterShared(const model::Cluster& config, ClusterLog log_in, EventLog* connections_in = nullptr);

  const std::string name;
  const ClusterLog log;
  EventLog* const connections;
  std::atomic<std::uint64_t> next_connection_id{0};
  HealthGeneration health_generation{0};
  std::array<std::atomic<std::uint64_t>, 3> breaker_entered{};  // by Breaker::State
  ClusterLimits limits;
  Breaker breaker;
  OutlierDetector outliers;

  // What the metrics were told of already; the first worker's own.
  std::array<std::uint64_t, 3> transitions_told{};
  std::array<std::uint64_t, OutlierDetector::kKinds> ejections_told{};
};

struct PreparedCluster {
  std::shared_ptr<const model::Cluster> config;
  std::shared_ptr<ClusterShared> shared;
  std::vector<std::shared_ptr<EndpointShared>> endpoints;  // of config->endpoints, one by one
};

class SharedState {
 public:
  explicit SharedState(std::size_t workers, ClusterLog log = {}, EventLog* connections = nullptr)
      : workers_(workers), log_(std::move(log)), connections_(connections) {}

  // All clusters of a snapshot, in its order. A cluster that did not change (the same pointer) is what it was; limits,
  // breaker and ejections of one that did take its new numbers at once, for all workers. Whatever the snapshot does not
  // name is forgotten once no worker uses it.
  std::vector<std::shared_ptr<const PreparedCluster>> prepare(const model::Snapshot& snapshot);

  // What was prepared last; null: no such cluster.
  std::shared_ptr<const PreparedCluster> find(const std::string& name) const;

 private:
  struct Slot {
    std::shared_ptr<const PreparedCluster> now;  // null: the last snapshot does not name it
    std::weak_ptr<ClusterShared> shared;         // while a worker uses it still
    // Endpoints that earlier configurations had, while a worker uses them still: they may come back.
    std::vector<std::weak_ptr<EndpointShared>> left;
    std::uint64_t seen = 0;  // the round that named it
  };

  std::shared_ptr<const PreparedCluster> prepare(Slot& slot, const std::shared_ptr<const model::Cluster>& config);
  std::vector<std::shared_ptr<EndpointShared>> reconcile(Slot& slot, const model::Cluster& config) const;
  void forget(Slot& slot);

  const std::size_t workers_;
  const ClusterLog log_;
  EventLog* const connections_;
  std::unordered_map<std::string, Slot> by_name_;
  std::uint64_t round_ = 0;
};

}  // namespace remora::upstream
