#include "proxy/upstream/cluster_state.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace remora::upstream {

namespace {

constexpr std::array kBreakerStates = {metrics::BreakerState::closed, metrics::BreakerState::open,
                                       metrics::BreakerState::half_open};
constexpr std::array kEjections = {metrics::Ejection::consecutive_5xx,
                                   metrics::Ejection::gateway_failure,
                                   metrics::Ejection::local_origin_failure,
                                   metrics::Ejection::success_rate,
                                   metrics::Ejection::failure_percentage,
                                   metrics::Ejection::local_origin_success_rate,
                                   metrics::Ejection::local_origin_failure_percentage};
static_assert(kEjections.size() == OutlierDetector::kKinds);

// A connection that was opened under `a` is as good as one opened under `b`.
bool connect_alike(const model::Cluster& a, const model::Cluster& b) {
  return a.source_address == b.source_address && a.tcp_keepalive == b.tcp_keepalive;
}

}  // namespace

ClusterState::ClusterState(const net::ConnectionContext& connections, net::Network& network,
                           std::shared_ptr<const PreparedCluster> prepared, metrics::ClusterSeries& series,
                           unsigned worker, std::uint64_t id)
    : connections_(connections),
      network_(network),
      shared_(prepared->shared),
      series_(series),
      id_(id),
      worker_(worker),
      balancer_(*prepared->config, &shared_->health_generation) {
  use(std::move(prepared));
  take_endpoints(nullptr);
}

ClusterState::~ClusterState() = default;

bool ClusterState::adopts(const PreparedCluster& prepared) const {
  return prepared.shared == shared_ && prepared.config->alt_stat_name == config().alt_stat_name;
}

void ClusterState::use(std::shared_ptr<const PreparedCluster> prepared) {
  config_ = std::make_unique<ClusterConfig>(std::move(prepared));
  response_limits_.max_head_bytes = config().max_response_headers_kb * 1024;
  response_limits_.max_headers = config().max_response_headers_count;
  response_limits_.accept_http_10 = true;
  const auto* dns = std::get_if<model::DnsDiscovery>(&config().discovery);
  keeps_former_ = dns != nullptr && dns->logical && !config().endpoints.empty();
}

void ClusterState::adopt(std::shared_ptr<const PreparedCluster> prepared) {
  if (left_) {  // it came back before it was gone
    left_ = false;
    for (const auto& endpoint : endpoints_) {
      if (endpoint->pool_) {
        endpoint->pool_->undrain();
      }
    }
  }
  if (has(*prepared)) {
    return;
  }
  std::unique_ptr<ClusterConfig> before = std::move(config_);
  use(std::move(prepared));
  balancer_.reconfigure(config());
  take_endpoints(&before->prepared());
  if (!connect_alike(**before, config())) {
    renew_connections();
  }
  if (before->pinned()) {
    old_configs_.push_back(std::move(before));
  }
}

// One pass over old and new side by side: what stays is nearly always in the same order, and then nothing is looked up.
void ClusterState::take_endpoints(const PreparedCluster* before) {
  const PreparedCluster& now = config_->prepared();
  std::vector<std::unique_ptr<EndpointState>> old = std::move(endpoints_);
  std::vector<LbEndpoint*> all;
  endpoints_.clear();
  endpoints_.reserve(now.endpoints.size());
  all.reserve(now.endpoints.size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < now.endpoints.size(); ++i) {
    const std::shared_ptr<EndpointShared>& shared = now.endpoints[i];
    std::unique_ptr<EndpointState> state;
    if (at < old.size() && before->endpoints[at] == shared && old[at]) {
      state = std::move(old[at++]);
    } else {
      state = take_known(shared->slots_[worker_].state, old);
      if (state) {
        at = state->index_ + std::size_t{1};
      } else {
        state = std::make_unique<EndpointState>(*this, shared, worker_);
      }
    }
    state->config = &now.config->endpoints[i];
    state->index_ = static_cast<std::uint32_t>(i);
    all.push_back(state.get());
    endpoints_.push_back(std::move(state));
  }
  for (auto& state : leaving_) {
    if (state) {
      take_leave(*state);
    }
  }
  for (auto& state : old) {
    if (state) {
      take_leave(*state);
      leaving_.push_back(std::move(state));
    }
  }
  balancer_.set_endpoints(all);
  sweep();
}

void ClusterState::take_leave(EndpointState& state) {
  state.leaving_ = true;
  state.config = keeps_former_ ? &config().endpoints.front() : nullptr;
  if (!keeps_former_ && state.pool_) {
    state.pool_->drain();
  }
}

// A connection to an earlier address before a new one to today's.
EndpointState& ClusterState::prefer_open(EndpointState& picked) {
  if (picked.pool_ && picked.pool_->has_ready()) {
    return picked;
  }
  const auto open = std::ranges::find_if(leaving_, [](const auto& state) {
    return state && state->pool_ && state->pool_->has_ready() && availability(*state) == Availability::healthy;
  });
  return open == leaving_.end() ? picked : **open;
}

// `state` may be null, or belong to a namesake of this cluster that is about to end.
std::unique_ptr<EndpointState> ClusterState::take_known(EndpointState* state,
                                                        std::vector<std::unique_ptr<EndpointState>>& old) {
  if (state == nullptr || &state->cluster_ != this) {
    return nullptr;
  }
  if (!state->leaving_) {
    return std::move(old[state->index_]);
  }
  state->leaving_ = false;
  if (state->pool_) {
    state->pool_->undrain();
  }
  return std::move(leaving_[state->index_]);
}

void ClusterState::renew_connections() {
  for (const auto* list : {&endpoints_, &leaving_}) {
    for (const auto& endpoint : *list) {
      if (endpoint->pool_) {
        endpoint->pool_->renew();
      }
    }
  }
}

// Destroys what nothing in flight refers to any more.
void ClusterState::sweep() {
  if (!leaving_.empty()) {
    std::erase_if(leaving_, [](const auto& endpoint) { return !endpoint || !endpoint->in_use(); });
    for (std::size_t i = 0; i < leaving_.size(); ++i) {
      leaving_[i]->index_ = static_cast<std::uint32_t>(i);
    }
  }
  std::erase_if(old_configs_, [](const auto& config) { return !config->pinned(); });
}

void ClusterState::leave() {
  left_ = true;
  for (const auto* list : {&endpoints_, &leaving_}) {
    for (const auto& endpoint : *list) {
      if (endpoint && endpoint->pool_) {
        endpoint->pool_->drain();
      }
    }
  }
  series_.endpoints.set(0);
  series_.endpoints_healthy.set(0);
  series_.endpoints_ejected.set(0);
  series_.breaker_state.set(0);
}

bool ClusterState::over() const {
  return left_ && !config_->pinned() && old_configs_.empty() && leaving_.empty() &&
         std::ranges::none_of(endpoints_, [](const auto& endpoint) { return endpoint->in_use(); });
}

void ClusterState::report_response(EndpointState& endpoint, int status, MonotonicTime now, Random& random) {
  shared_->outliers.on_response(endpoint.shared->health, status, now, random);
}

void ClusterState::report_local_failure(EndpointState& endpoint, bool timeout, MonotonicTime now, Random& random) {
  shared_->outliers.on_local_failure(
      endpoint.shared->health, timeout ? OutlierDetector::LocalFailure::timeout : OutlierDetector::LocalFailure::reset,
      now, random);
}

void ClusterState::report_connected(EndpointState& endpoint, MonotonicTime now, Random& random) {
  shared_->outliers.on_connected(endpoint.shared->health);
  if (!config().outlier.split_external_local_origin_errors) {
    shared_->outliers.on_response(endpoint.shared->health, 200, now, random);  // as in Envoy
  }
}

void ClusterState::tick(MonotonicTime now, Random& random) {
  sweep();
  shared_->outliers.sweep_if_due(now, random);
  if (!left_) {
    show_endpoints(random);
  }
  if (worker_ != 0) {
    return;  // what happens to the cluster counts once
  }
  for (std::size_t i = 0; i < kBreakerStates.size(); ++i) {
    const std::uint64_t count = shared_->breaker_entered[i].load(std::memory_order_relaxed);
    series_.breaker_transitions[kBreakerStates[i]].add(count - std::exchange(shared_->transitions_told[i], count));
  }
  if (config().outlier.enabled) {
    const auto enforced = shared_->outliers.counts().enforced;
    for (std::size_t i = 0; i < kEjections.size(); ++i) {
      series_.ejections[kEjections[i]].add(enforced[i] - std::exchange(shared_->ejections_told[i], enforced[i]));
    }
  }
}

void ClusterState::show_endpoints(Random& random) {
  const LoadBalancer::Summary& summary = balancer_.summary(random);
  series_.endpoints.set(summary.total);
  series_.endpoints_healthy.set(summary.healthy);
  series_.endpoints_ejected.set(summary.ejected);
  series_.breaker_state.set(static_cast<std::int64_t>(shared_->breaker.state()));
}

}  // namespace remora::upstream
