// WorkerContext: what every exchange of one worker shares. Owned by the Worker, outlives its sessions; worker thread.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "core/base/arena.h"
#include "core/base/event_log.h"
#include "core/base/pin.h"
#include "core/base/random.h"
#include "core/event/loop.h"
#include "metrics/registry.h"
#include "proxy/filters/access_log.h"
#include "proxy/model/snapshot.h"
#include "proxy/routing/route_table.h"
#include "proxy/upstream/cluster_state.h"

namespace remora::proxy {

class Exchange;

struct WorkerContext {
  WorkerContext(Loop& loop_in, BlockPool& blocks_in, Random& random_in, metrics::WorkerMetrics& metrics_in)
      : loop(loop_in), blocks(blocks_in), random(random_in), metrics(metrics_in) {}

  Loop& loop;
  BlockPool& blocks;
  Random& random;
  metrics::WorkerMetrics& metrics;
  std::string_view date;  // the Date header's value now, kept by the worker
  WallTime wall_base{};   // calendar time at wall_base_at
  MonotonicTime wall_base_at{};
  Exchange* touched = nullptr;           // exchanges that did something in this turn
  Task account_task;                     // settles them when the turn is over
  AccessLogQueue* access_log = nullptr;  // null: no listener logs
  EventLog* connection_log = nullptr;    // may be null
  std::string own_ip;                    // this machine's address, for x-forwarded-for
  bool health_check_failed = false;      // /healthcheck/fail: answers say close, so that balancers find out soon
  std::uint64_t next_connection_id = 0;
  std::atomic<std::size_t> active_connections{0};  // written by the worker, read by main

  WallTime wall() const { return wall_base + (loop.now() - wall_base_at); }
};

// The clusters of one configuration by name; keys live in the values. Those that a listener's context now has are
// alive.
class ClusterDirectory {
 public:
  void add(upstream::ClusterState& cluster) { by_name_.emplace(cluster.name(), &cluster); }
  upstream::ClusterState* find(std::string_view name) const {  // null: there is none
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }
  const std::unordered_map<std::string_view, upstream::ClusterState*>& all() const { return by_name_; }

 private:
  std::unordered_map<std::string_view, upstream::ClusterState*> by_name_;
};

// One configuration of one listener, as its exchanges see it. Owned by the worker's Listener; pinned by each exchange
// at birth. A cluster is looked up when the request is routed, in the call that brings its head, and pinned from then
// on: once the listener has another configuration, `clusters` is empty here.
struct ListenerContext : Pinnable {
  std::shared_ptr<const model::Listener> config;
  std::shared_ptr<const routing::RouteTable> routes;
  std::shared_ptr<const ClusterDirectory> clusters;
  metrics::ListenerSeries* series = nullptr;
  // [route index]: the series of its last cluster, so that a steady request looks nothing up by name.
  struct RouteSeries {
    std::uint64_t cluster = 0;  // ClusterState::id
    metrics::RequestSeries* series = nullptr;
  };
  std::vector<RouteSeries> route_series;
  metrics::RequestSeries* unrouted = nullptr;
  bool draining = false;  // answers say close
};

}  // namespace remora::proxy
