#include "proxy/upstream/load_balancer.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "tests/seed.h"

namespace remora::upstream {
namespace {

using Health = model::Endpoint::Health;

struct Balancers : ::testing::Test {
  Balancers() { cluster.lb_policy = model::LbPolicy::round_robin; }

  LbEndpoint& add(std::uint32_t weight = 1, std::uint32_t priority = 0, Health healthy = Health::unknown) {
    auto& config = configs.emplace_back();
    config.weight = weight;
    config.priority = priority;
    config.health = healthy;
    auto& endpoint = endpoints.emplace_back(LbEndpoint{&config, &health.emplace_back(), 0});
    all.push_back(&endpoint);
    return endpoint;
  }
  void eject(LbEndpoint& endpoint, bool ejected = true) {
    endpoint.health->ejected = ejected;
    ++generation;
  }
  // How often each endpoint is picked, by index; -1: none.
  std::map<int, int> pick(LoadBalancer& balancer, int times) {
    std::map<int, int> counts;
    for (int i = 0; i < times; ++i) {
      ++counts[index(balancer.pick({random}))];
    }
    return counts;
  }
  std::map<int, int> pick(int times) {
    LoadBalancer balancer(cluster, &generation);
    balancer.set_endpoints(all);
    return pick(balancer, times);
  }
  int index(const LbEndpoint* endpoint) const {
    const auto at = std::find(all.begin(), all.end(), endpoint);
    return at == all.end() ? -1 : static_cast<int>(at - all.begin());
  }

  model::Cluster cluster;
  HealthGeneration generation{0};
  std::deque<model::Endpoint> configs;
  std::deque<EndpointHealth> health;
  std::deque<LbEndpoint> endpoints;
  std::vector<LbEndpoint*> all;
  Random random{testing::test_seed()};
};

TEST_F(Balancers, NobodyToPick) { EXPECT_EQ(pick(1), (std::map<int, int>{{-1, 1}})); }

TEST_F(Balancers, RoundRobinTakesTurns) {
  add(), add(), add();
  EXPECT_EQ(pick(300), (std::map<int, int>{{0, 100}, {1, 100}, {2, 100}}));
}

TEST_F(Balancers, WeightedRoundRobinKeepsExactSharesAndSpreadsThem) {
  REMORA_TRACE_SEED();
  add(1), add(2), add(5);
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  std::map<int, int> total;
  for (int round = 0; round < 50; ++round) {
    for (const auto& [which, count] : pick(balancer, 8)) {
      total[which] += count;
      EXPECT_LE(count, which == 2 ? 6 : which == 1 ? 3 : 2) << "no bursts";
    }
  }
  EXPECT_NEAR(total[0], 50, 1);
  EXPECT_NEAR(total[1], 100, 1);
  EXPECT_NEAR(total[2], 250, 2);
}

TEST_F(Balancers, RandomFollowsWeights) {
  REMORA_TRACE_SEED();
  cluster.lb_policy = model::LbPolicy::random;
  add(1), add(3);
  auto counts = pick(4000);
  EXPECT_NEAR(counts[0], 1000, 200);
  EXPECT_NEAR(counts[1], 3000, 200);
}

TEST_F(Balancers, LeastRequestPrefersTheIdle) {
  REMORA_TRACE_SEED();
  cluster.lb_policy = model::LbPolicy::least_request;
  add().active_requests = 10;
  add().active_requests = 10;
  add();
  auto counts = pick(9000);
  // The idle one is among two different candidates of three with probability 2/3.
  EXPECT_NEAR(counts[2], 6000, 300);
}

TEST_F(Balancers, LeastRequestOfTwoAlwaysTakesTheIdle) {
  REMORA_TRACE_SEED();
  cluster.lb_policy = model::LbPolicy::least_request;
  add().active_requests = 10;
  add();
  EXPECT_NEAR(pick(1000)[1], 1000, 20);  // with replacement, as Envoy draws, it would be 750
}

TEST_F(Balancers, LeastRequestWithWeightsFillsInProportion) {
  REMORA_TRACE_SEED();
  cluster.lb_policy = model::LbPolicy::least_request;
  add(1), add(4);
  auto idle = pick(5000);
  EXPECT_NEAR(idle[0], 1000, 200) << "idle: by weight";
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  for (int i = 0; i < 1000; ++i) {
    ++balancer.pick({random})->active_requests;  // and none ever ends
  }
  EXPECT_NEAR(all[0]->active_requests, 200, 20);
  EXPECT_NEAR(all[1]->active_requests, 800, 20);
}

TEST_F(Balancers, EjectedAndUnhealthyEndpointsGetNothing) {
  auto& a = add();
  add(), add();
  add(1, 0, Health::unhealthy);
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  EXPECT_EQ(pick(balancer, 300), (std::map<int, int>{{0, 100}, {1, 100}, {2, 100}}));
  eject(a);
  EXPECT_EQ(pick(balancer, 300), (std::map<int, int>{{1, 150}, {2, 150}}));
  EXPECT_EQ(balancer.summary(random).ejected, 1U);
  eject(a, false);
  EXPECT_EQ(pick(balancer, 300), (std::map<int, int>{{0, 100}, {1, 100}, {2, 100}}));
}

TEST_F(Balancers, PanicBelowTheThresholdUsesAll) {
  add(), add(1, 0, Health::unhealthy), add(1, 0, Health::unhealthy), add(1, 0, Health::draining);
  EXPECT_EQ(pick(400).size(), 4U) << "25 % healthy is under 50 %";
  cluster.panic_threshold_percent = 20;
  EXPECT_EQ(pick(400), (std::map<int, int>{{0, 400}}));
  cluster.panic_threshold_percent = 0;
  configs[0].health = Health::unhealthy;
  EXPECT_EQ(pick(1), (std::map<int, int>{{-1, 1}})) << "no panic: nobody";
  cluster.panic_threshold_percent = 50;
  EXPECT_EQ(pick(400).size(), 4U) << "nobody is healthy: all";
}

TEST_F(Balancers, LoadSpillsToTheNextPriority) {
  REMORA_TRACE_SEED();
  for (int i = 0; i < 4; ++i) {
    add();
  }
  add(1, 1);
  EXPECT_EQ(pick(400).size(), 4U);
  configs[0].health = Health::unhealthy;  // 75 % of 1.4 is all
  EXPECT_EQ(pick(300).count(4), 0U);
  configs[1].health = Health::unhealthy;  // 50 % of 1.4 is 70 %
  auto counts = pick(10000);
  EXPECT_NEAR(counts[4], 3000, 300);
  EXPECT_NEAR(counts[2], 3500, 300);
  for (int i = 0; i < 4; ++i) {
    configs[static_cast<std::size_t>(i)].health = Health::unhealthy;
  }
  EXPECT_EQ(pick(100), (std::map<int, int>{{4, 100}}));
}

TEST_F(Balancers, DegradedEndpointsComeLast) {
  REMORA_TRACE_SEED();
  add(), add(1, 0, Health::degraded);
  auto counts = pick(10000);
  EXPECT_NEAR(counts[0], 7000, 300) << "half of the endpoints can take 70 %";
  configs[0].health = Health::unhealthy;
  EXPECT_EQ(pick(100), (std::map<int, int>{{1, 100}}));
}

TEST_F(Balancers, AvoidsWhatWasTriedWhileItMayChooseAgain) {
  auto& a = add();
  add();
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  std::vector<LbEndpoint*> tried{&a};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(index(balancer.pick({random, tried, 1})), 1);
  }
  std::vector<LbEndpoint*> both = all;
  EXPECT_NE(balancer.pick({random, both, 3}), nullptr) << "one that was tried is better than none";
}

TEST_F(Balancers, EndpointsMayChange) {
  add(), add();
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  EXPECT_EQ(pick(balancer, 10).size(), 2U);
  balancer.set_endpoints(std::vector<LbEndpoint*>{all[1]});
  EXPECT_EQ(pick(balancer, 10), (std::map<int, int>{{1, 10}}));
  balancer.set_endpoints({});
  EXPECT_EQ(balancer.pick({random}), nullptr);
}

}  // namespace
}  // namespace remora::upstream
