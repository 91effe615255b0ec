// WorkerContext: what every exchange of one worker shares. Owned by the Worker, outlives its sessions; worker thread.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "core/base/arena.h"
#include "core/base/event_log.h"
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
  std::unordered_map<std::string_view, upstream::ClusterState*> clusters;  // by name; keys live in the values
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

// One listener's side of an exchange. Owned by the worker's Listener, which exchanges pin through their session.
struct ListenerContext {
  std::shared_ptr<const model::Listener> config;
  std::shared_ptr<const routing::RouteTable> routes;
  metrics::ListenerSeries* series = nullptr;
  // [route index]: the series of its last cluster, so that a steady request looks nothing up by name.
  struct RouteSeries {
    const void* cluster = nullptr;
    metrics::RequestSeries* series = nullptr;
  };
  std::vector<RouteSeries> route_series;
  metrics::RequestSeries* unrouted = nullptr;
  bool draining = false;  // answers say close
};

}  // namespace remora::proxy
