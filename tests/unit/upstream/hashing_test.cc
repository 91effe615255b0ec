// Ring hash and Maglev: shares, and how little moves when endpoints come and go. That they answer as Envoy does is
// tests/differential's to show.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <string>

#include "core/base/hash.h"
#include "proxy/upstream/load_balancer.h"
#include "tests/seed.h"

namespace remora::upstream {
namespace {

constexpr int kKeys = 20'000;

std::uint64_t key(int number) { return xx_hash64("user-" + std::to_string(number)); }

struct Hashing : ::testing::TestWithParam<model::LbPolicy> {
  Hashing() { cluster.lb_policy = GetParam(); }

  LbEndpoint& add(int number, std::uint32_t weight = 1, std::uint32_t priority = 0) {
    auto& config = configs.emplace_back();
    config.address =
        Address::parse("10.0." + std::to_string(number / 250) + "." + std::to_string(number % 250), 80).value();
    config.weight = weight;
    config.priority = priority;
    auto& endpoint = endpoints.emplace_back(LbEndpoint{&config, &health.emplace_back(), 0});
    all.push_back(&endpoint);
    return endpoint;
  }
  std::vector<LbEndpoint*> pick_all(LoadBalancer& balancer) {
    std::vector<LbEndpoint*> picked;
    for (int i = 0; i < kKeys; ++i) {
      picked.push_back(balancer.pick({.random = random, .hash = key(i)}));
    }
    return picked;
  }
  std::vector<LbEndpoint*> pick_all() {
    LoadBalancer balancer(cluster, &generation);
    balancer.set_endpoints(all);
    return pick_all(balancer);
  }

  model::Cluster cluster;
  HealthGeneration generation{0};
  std::deque<model::Endpoint> configs;
  std::deque<EndpointHealth> health;
  std::deque<LbEndpoint> endpoints;
  std::vector<LbEndpoint*> all;
  Random random{testing::test_seed()};
};

TEST_P(Hashing, SharesFollowWeights) {
  cluster.ring_hash.minimum_size = 100'000;
  add(1, 1), add(2, 2), add(3, 5);
  std::map<LbEndpoint*, int> counts;
  for (LbEndpoint* endpoint : pick_all()) {
    ++counts[endpoint];
  }
  EXPECT_NEAR(counts[all[0]], kKeys / 8.0, kKeys / 40.0);
  EXPECT_NEAR(counts[all[1]], kKeys / 4.0, kKeys / 40.0);
  EXPECT_NEAR(counts[all[2]], kKeys * 5 / 8.0, kKeys / 40.0);
}

TEST_P(Hashing, TheOrderOfEndpointsChangesNothing) {
  for (int i = 0; i < 7; ++i) {
    add(i);
  }
  const auto before = pick_all();
  std::ranges::reverse(all);
  EXPECT_EQ(pick_all(), before);
}

TEST_P(Hashing, OneThatGoesMovesItsOwnKeysAndFewOthers) {
  for (int i = 0; i < 10; ++i) {
    add(i);
  }
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  const auto before = pick_all(balancer);
  all[3]->health->ejected = true;
  ++generation;
  const auto after = pick_all(balancer);
  int moved = 0;
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_NE(after[static_cast<std::size_t>(i)], all[3]);
    moved += before[static_cast<std::size_t>(i)] != all[3] &&
             before[static_cast<std::size_t>(i)] != after[static_cast<std::size_t>(i)];
  }
  // Maglev's permutations meet, and a ring of nine has more points for each than one of ten: a little moves.
  EXPECT_LE(moved, kKeys / 10);
  all[3]->health->ejected = false;
  ++generation;
  EXPECT_EQ(pick_all(balancer), before) << "and back";
}

TEST_P(Hashing, AnotherChoiceIsAnotherEndpoint) {
  for (int i = 0; i < 5; ++i) {
    add(i);
  }
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  for (int i = 0; i < 200; ++i) {
    LbEndpoint* first = balancer.pick({.random = random, .hash = key(i)});
    LbEndpoint* second =
        balancer.pick({.random = random, .avoid = std::span(&first, 1), .more_choices = 10, .hash = key(i)});
    EXPECT_NE(first, second);
  }
}

TEST_P(Hashing, WithoutAHashAnyMayCome) {
  add(1), add(2), add(3);
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  std::map<LbEndpoint*, int> counts;
  for (int i = 0; i < 3000; ++i) {
    ++counts[balancer.pick({random})];
  }
  EXPECT_EQ(counts.size(), 3U);
}

TEST_P(Hashing, PrioritiesAreChosenByTheHashToo) {
  add(1, 1, 0), add(2, 1, 0), add(3, 1, 1);
  all[0]->health->ejected = true;  // 70 % of the load stay
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  const auto first = pick_all(balancer);
  EXPECT_EQ(pick_all(balancer), first);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(first, all[2])), kKeys * 0.3, kKeys * 0.02);
}

TEST_P(Hashing, TenThousandEndpointsAreReadySoon) {
  for (int i = 0; i < 10'000; ++i) {
    add(i);
  }
  LoadBalancer balancer(cluster, &generation);
  balancer.set_endpoints(all);
  const auto began = std::chrono::steady_clock::now();
  balancer.pick({.random = random, .hash = 1});
  const auto took = std::chrono::steady_clock::now() - began;
  RecordProperty("ms", static_cast<int>(std::chrono::duration_cast<Milliseconds>(took).count()));
  EXPECT_LT(took, std::chrono::seconds(2));  // under sanitizers; bench/ has the true number
}

TEST_P(Hashing, OneEndpointHasItAll) {
  LbEndpoint& only = add(1);
  for (LbEndpoint* endpoint : pick_all()) {
    ASSERT_EQ(endpoint, &only);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, Hashing, ::testing::Values(model::LbPolicy::ring_hash, model::LbPolicy::maglev),
                         [](const auto& policy) {
                           return policy.param == model::LbPolicy::ring_hash ? "RingHash" : "Maglev";
                         });

}  // namespace
}  // namespace remora::upstream
