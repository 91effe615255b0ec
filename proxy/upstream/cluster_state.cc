#include "proxy/upstream/cluster_state.h"

#include <fmt/format.h>

#include <algorithm>

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

std::string words(const std::string& cluster, const OutlierDetector::Event& event) {
  using What = OutlierDetector::Event::What;
  switch (event.what) {
    case What::ejected:
      return fmt::format("cluster '{}': endpoint {} is ejected: {}", cluster, event.endpoint.name,
                         OutlierDetector::name(event.kind));
    case What::not_enforced:
      return fmt::format("cluster '{}': endpoint {} would be ejected ({}), but enforcing is below 100 %", cluster,
                         event.endpoint.name, OutlierDetector::name(event.kind));
    case What::overflow:
      return fmt::format("cluster '{}': endpoint {} fails ({}), but max_ejection_percent allows no more ejections",
                         cluster, event.endpoint.name, OutlierDetector::name(event.kind));
    case What::unejected:
      break;
  }
  return fmt::format("cluster '{}': endpoint {} is back", cluster, event.endpoint.name);
}

}  // namespace

ClusterShared::ClusterShared(std::shared_ptr<const model::Cluster> config_in, std::size_t workers, ClusterLog log_in,
                             EventLog* connections_in)
    : config(std::move(config_in)),
      log(std::move(log_in)),
      connections(connections_in),
      limits(config->thresholds),
      breaker(config->breaker,
              [this](Breaker::State from, Breaker::State to, std::string_view why) {
                breaker_entered[static_cast<std::size_t>(to)].fetch_add(1, std::memory_order_relaxed);
                if (log) {
                  log(fmt::format("cluster '{}': breaker {} -> {}: {}", config->name, Breaker::name(from),
                                  Breaker::name(to), why));
                }
              }),
      outliers(config->outlier, health_generation, [this](const OutlierDetector::Event& event) {
        if (log) {
          log(words(config->name, event));
        }
      }) {
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
    slot = std::make_shared<ClusterShared>(config, workers_, log_, connections_.upstream);
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
    : shared_(std::move(shared)),
      series_(series),
      balancer_(config(), &shared_->health_generation),
      counts_events_(worker == 0) {
  response_limits_.max_head_bytes = config().max_response_headers_kb * 1024;
  response_limits_.max_headers = config().max_response_headers_count;
  response_limits_.accept_http_10 = true;
  std::vector<LbEndpoint*> all;
  for (const auto& endpoint : shared_->endpoints) {
    endpoints_.push_back(std::make_unique<EndpointState>(PoolContext{connections, network, *this}, endpoint, worker));
    all.push_back(endpoints_.back().get());
  }
  balancer_.set_endpoints(all);
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

void ClusterState::report_connected(EndpointState& endpoint, MonotonicTime now, Random& random) {
  shared_->outliers.on_connected(endpoint.shared->health);
  if (!config().outlier.split_external_local_origin_errors) {
    shared_->outliers.on_response(endpoint.shared->health, 200, now, random);  // as in Envoy
  }
}

void ClusterState::tick(MonotonicTime now, Random& random) {
  shared_->outliers.sweep_if_due(now, random);
  const LoadBalancer::Summary& summary = balancer_.summary(random);
  series_.endpoints.set(summary.total);
  series_.endpoints_healthy.set(summary.healthy);
  series_.endpoints_ejected.set(summary.ejected);
  series_.breaker_state.set(static_cast<std::int64_t>(shared_->breaker.state()));
  if (!counts_events_) {
    return;
  }
  for (std::size_t i = 0; i < kBreakerStates.size(); ++i) {
    const std::uint64_t count = shared_->breaker_entered[i].load(std::memory_order_relaxed);
    series_.breaker_transitions[kBreakerStates[i]].add(count - std::exchange(transitions_seen_[i], count));
  }
  if (config().outlier.enabled) {
    const auto enforced = shared_->outliers.counts().enforced;
    for (std::size_t i = 0; i < kEjections.size(); ++i) {
      series_.ejections[kEjections[i]].add(enforced[i] - std::exchange(ejections_seen_[i], enforced[i]));
    }
  }
}

void ClusterState::drain() {
  for (auto& endpoint : endpoints_) {
    endpoint->pool.drain();
  }
}

}  // namespace remora::upstream
