// EndpointState: one endpoint as one worker sees it: its load-balancing facts, its pool, its numbers. Owned by
// ClusterState; kept over configuration changes that leave its address alone, so that its connections stay warm. Worker
// thread. EndpointShared: what all workers know of it together. Owned by ClusterShared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "metrics/cell.h"
#include "proxy/model/cluster.h"
#include "proxy/upstream/connection_pool.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

// One worker's numbers of one endpoint; the worker writes, /clusters adds the workers up.
struct EndpointCells {
  metrics::Counter connections_total;
  metrics::Gauge connections_active;
  metrics::Counter connect_failures;
  metrics::Counter requests_total;
  metrics::Gauge requests_active;
  metrics::Gauge requests_pending;
  metrics::Counter requests_success;
  metrics::Counter requests_error;
  metrics::Counter requests_timeout;
};

struct EndpointShared {
  EndpointShared(model::Endpoint config_in, std::size_t workers)
      : config(std::move(config_in)), text(config.address.to_string()), cells(workers) {}

  const model::Endpoint config;
  const std::string text;  // "10.0.0.1:80"
  EndpointHealth health;
  std::vector<EndpointCells> cells;  // by worker
};

class EndpointState final : public LbEndpoint {
 public:
  EndpointState(const PoolContext& context, std::shared_ptr<EndpointShared> shared_in, unsigned worker)
      : LbEndpoint{&shared_in->config, &shared_in->health, 0},
        shared(std::move(shared_in)),
        cells(shared->cells[worker]),
        pool(context, *this) {}

  const std::shared_ptr<EndpointShared> shared;
  EndpointCells& cells;
  ConnectionPool pool;
};

}  // namespace remora::upstream
