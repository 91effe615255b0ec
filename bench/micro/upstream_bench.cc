// proxy/upstream: who takes an attempt, and may it go.
#include <vector>

#include "bench/micro/allocations.h"
#include "proxy/upstream/circuit_breaker.h"
#include "proxy/upstream/limits.h"
#include "proxy/upstream/load_balancer.h"

namespace remora::bench {
namespace {

void pick(benchmark::State& state, model::LbPolicy policy) {
  model::Cluster cluster;
  cluster.lb_policy = policy;
  cluster.endpoints.resize(50);
  for (std::size_t i = 0; i < cluster.endpoints.size(); ++i) {
    cluster.endpoints[i].weight = 1 + i % 3;
  }
  std::vector<upstream::LbEndpoint> endpoints(cluster.endpoints.size());
  std::vector<upstream::LbEndpoint*> pointers;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    endpoints[i].config = &cluster.endpoints[i];
    pointers.push_back(&endpoints[i]);
  }
  upstream::HealthGeneration generation{0};
  upstream::LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(pointers);
  Random random(1);
  benchmark::DoNotOptimize(balancer.pick({random}));
  const AllocationScope scope(state);
  for (auto _ : state) {
    upstream::LbEndpoint* endpoint = balancer.pick({random});
    endpoint->active_requests ^= 1;
    benchmark::DoNotOptimize(endpoint);
  }
}
BENCHMARK_CAPTURE(pick, round_robin, model::LbPolicy::round_robin);
BENCHMARK_CAPTURE(pick, random, model::LbPolicy::random);
BENCHMARK_CAPTURE(pick, least_request, model::LbPolicy::least_request);

void admit_and_limits(benchmark::State& state) {
  upstream::ClusterLimits limits{model::Thresholds{}};
  model::Breaker config;
  config.failure_threshold = 5;
  upstream::Breaker breaker(config);
  const AllocationScope scope(state);
  for (auto _ : state) {
    const auto admission = breaker.admit(MonotonicTime{});
    const auto token = upstream::LimitToken::acquire(limits, upstream::ClusterLimits::Kind::requests);
    benchmark::DoNotOptimize(&token);
    breaker.on_success(admission);
  }
}
BENCHMARK(admit_and_limits);

}  // namespace
}  // namespace remora::bench
