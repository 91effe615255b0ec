// EndpointState: one endpoint as one worker sees it: its load-balancing facts, its pool. Owned by ClusterState; kept
// over configuration changes that leave its address alone, so that its connections stay warm. Worker thread. Most of a
// large cluster's endpoints are never called by a given worker: pool and numbers are made when they first are.
// EndpointShared: what all workers know of it together; shared by the ClusterConfigs that name it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "core/base/pin.h"
#include "metrics/cell.h"
#include "proxy/model/cluster.h"
#include "proxy/upstream/connection_pool.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

class ClusterState;
class EndpointState;

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

class EndpointShared {
 public:
  EndpointShared(const Address& address_in, std::size_t workers);
  EndpointShared(const EndpointShared&) = delete;
  EndpointShared& operator=(const EndpointShared&) = delete;
  ~EndpointShared();

  const Address address;
  EndpointHealth health;
  const std::string& text() const { return health.name; }  // "10.0.0.1:80"

  // Any thread: visit(const EndpointCells&) for each worker that ever called it.
  template <typename Visit>
  void for_each_cells(Visit&& visit) const {
    for (std::size_t i = 0; i < workers_; ++i) {
      if (const EndpointCells* cells = slots_[i].cells.load(std::memory_order_acquire); cells != nullptr) {
        visit(*cells);
      }
    }
  }

 private:
  friend class EndpointState;
  friend class ClusterState;

  struct Slot {
    std::atomic<EndpointCells*> cells{nullptr};  // made by the worker; owned
    EndpointState* state = nullptr;              // the worker's own: its state now, if it has one
  };
  const std::unique_ptr<Slot[]> slots_;  // by worker
  const std::uint32_t workers_;
};

class EndpointState final : public LbEndpoint, public Pinnable {
 public:
  EndpointState(ClusterState& cluster, std::shared_ptr<EndpointShared> shared_in, unsigned worker);
  EndpointState(const EndpointState&) = delete;
  EndpointState& operator=(const EndpointState&) = delete;
  ~EndpointState();

  const std::shared_ptr<EndpointShared> shared;

  EndpointCells& cells() { return cells_ != nullptr ? *cells_ : make_cells(); }
  ConnectionPool& pool() { return pool_ ? *pool_ : make_pool(); }
  ConnectionPool* pool_if_any() { return pool_.get(); }

 private:
  friend class ClusterState;

  EndpointCells& make_cells();
  ConnectionPool& make_pool();
  bool in_use() const { return pinned() || active_requests > 0 || (pool_ && !pool_->idle()); }

  ClusterState& cluster_;
  EndpointCells* cells_ = nullptr;  // shared's
  std::unique_ptr<ConnectionPool> pool_;
  std::uint32_t index_ = 0;  // in the cluster's endpoints_, or its leaving_
  const std::uint16_t worker_;
  bool leaving_ = false;  // the configuration has it no more
};

}  // namespace remora::upstream
