#include "proxy/upstream/cluster_state.h"

#include <algorithm>

namespace remora::upstream {

ClusterShared::ClusterShared(std::shared_ptr<const model::Cluster> config_in, std::size_t workers)
    : config(std::move(config_in)),
      limits(config->thresholds),
      breaker(config->breaker),
      outliers(config->outlier, health_generation) {
  std::vector<std::shared_ptr<EndpointHealth>> health;
  for (const model::Endpoint& endpoint : config->endpoints) {
    const auto& shared = endpoints.emplace_back(std::make_shared<EndpointShared>(endpoint, workers));
    shared->health.name = shared->text;
    health.emplace_back(shared, &shared->health);
  }
  outliers.set_endpoints(std::move(health));
}

std::shared_ptr<ClusterShared> SharedState::cluster(const std::shared_ptr<const model::Cluster>& config) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<ClusterShared>& slot = by_name_[config->name];
  if (!slot || slot->config != config) {
    slot = std::make_shared<ClusterShared>(config, workers_);
  }
  return slot;
}

std::vector<std::shared_ptr<ClusterShared>> SharedState::clusters() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ClusterShared>> all;
  for (const auto& [name, cluster] : by_name_) {
    all.push_back(cluster);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->config->name < b->config->name; });
  return all;
}

ClusterState::ClusterState(const net::ConnectionContext& connections, net::Network& network,
                           std::shared_ptr<ClusterShared> shared, metrics::ClusterSeries& series, unsigned worker)
    : shared_(std::move(shared)), series_(series), balancer_(config(), &shared_->health_generation) {
  response_limits_.max_head_bytes = config().max_response_headers_kb * 1024;
  response_limits_.max_headers = config().max_response_headers_count;
  response_limits_.accept_http_10 = true;
  std::vector<LbEndpoint*> all;
  for (const auto& endpoint : shared_->endpoints) {
    endpoints_.push_back(std::make_unique<EndpointState>(PoolContext{connections, network, *this}, endpoint, worker));
    all.push_back(endpoints_.back().get());
  }
  balancer_.set_endpoints(all);
  series_.endpoints.set(static_cast<std::int64_t>(endpoints_.size()));
}

ClusterState::~ClusterState() = default;

void ClusterState::report_response(EndpointState& endpoint, int status, MonotonicTime now, Random& random) {
  shared_->outliers.on_response(endpoint.shared->health, status, now, random);
}

void ClusterState::report_local_failure(EndpointState& endpoint, bool timeout, MonotonicTime now, Random& random) {
  shared_->outliers.on_local_failure(
      endpoint.shared->health, timeout ? OutlierDetector::LocalFailure::timeout : OutlierDetector::LocalFailure::reset,
      now, random);
}

void ClusterState::drain() {
  for (auto& endpoint : endpoints_) {
    endpoint->pool.drain();
  }
}

}  // namespace remora::upstream
