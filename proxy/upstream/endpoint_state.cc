#include "proxy/upstream/endpoint_state.h"

#include "proxy/upstream/cluster_state.h"

namespace remora::upstream {

EndpointShared::EndpointShared(const Address& address_in, std::size_t workers)
    : address(address_in),
      health(address_in.to_string()),
      slots_(new Slot[workers]),
      workers_(static_cast<std::uint32_t>(workers)) {}

EndpointShared::~EndpointShared() {
  for (std::size_t i = 0; i < workers_; ++i) {
    delete slots_[i].cells.load(std::memory_order_relaxed);
  }
}

EndpointState::EndpointState(ClusterState& cluster, std::shared_ptr<EndpointShared> shared_in, unsigned worker)
    : LbEndpoint{nullptr, &shared_in->health, 0},
      shared(std::move(shared_in)),
      cluster_(cluster),
      worker_(static_cast<std::uint16_t>(worker)) {
  EndpointShared::Slot& slot = shared->slots_[worker];
  slot.state = this;
  cells_ = slot.cells.load(std::memory_order_relaxed);
}

EndpointState::~EndpointState() {
  EndpointShared::Slot& slot = shared->slots_[worker_];
  if (slot.state == this) {
    slot.state = nullptr;
  }
}

EndpointCells& EndpointState::make_cells() {
  cells_ = new EndpointCells;
  shared->slots_[worker_].cells.store(cells_, std::memory_order_release);
  return *cells_;
}

ConnectionPool& EndpointState::make_pool() {
  pool_ = std::make_unique<ConnectionPool>(cluster_.pool_context(), *this);
  if (leaving_ || cluster_.left()) {
    pool_->drain();
  }
  return *pool_;
}

}  // namespace remora::upstream
