// Active health checks in virtual time: what a first check decides, thresholds, intervals, and how load balancers hear.
#include "proxy/upstream/health_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "proxy/upstream/load_balancer.h"
#include "tests/seed.h"
#include "tests/sim/fake_upstream.h"

namespace remora::upstream {
namespace {

using namespace std::chrono_literals;
using metrics::HealthCheckResult;
using sim::answer;
using ::testing::Contains;
using ::testing::HasSubstr;

struct Checks : ::testing::Test {
  Checks() {
    check.interval = 5s;
    check.timeout = 1s;
    check.unhealthy_threshold = 3;
    check.healthy_threshold = 2;
    check.unhealthy_interval = check.unhealthy_edge_interval = check.healthy_edge_interval = 5s;
    check.path = "/health";
    check.expected_statuses = {{}};
    for (int i = 1; i <= 2; ++i) {
      const auto address = Address::parse("10.0.1." + std::to_string(i), 80).value();
      upstreams.push_back(std::make_unique<sim::FakeUpstream>(loop, network, address));
      health.push_back(std::make_shared<EndpointHealth>(address.to_string()));
    }
  }
  void start(const std::vector<int>& which = {0}) {
    std::vector<std::shared_ptr<EndpointHealth>> some;
    auto config = std::make_shared<model::Cluster>();
    config->name = config->alt_stat_name = "up";
    config->health_check = std::make_shared<const model::HealthCheck>(check);
    for (const int i : which) {
      model::Endpoint& endpoint = config->endpoints.emplace_back();
      endpoint.address = upstreams[static_cast<std::size_t>(i)]->address();
      endpoint.health_check = target;
      some.push_back(health[static_cast<std::size_t>(i)]);
    }
    checker.check({{config, generation, some, [this] { return traffic; }}});
    loop.advance(10ms);
  }
  bool failed(int which = 0) const { return health[static_cast<std::size_t>(which)]->failed_active_check; }
  std::size_t asked(std::size_t which = 0) const { return upstreams[which]->requests().size(); }
  std::uint64_t count(HealthCheckResult result) { return metrics.cluster("up")->health_checks[result].value(); }

  const std::uint64_t seed = testing::test_seed();
  sim::SimLoop loop{seed};
  sim::SimNetwork network{loop, seed + 1};
  Random random{seed + 2};
  BlockPool blocks;
  std::array<char, 16 * 1024> scratch;
  metrics::Registry registry{metrics::RegistryOptions{}};
  metrics::WorkerMetrics& metrics = registry.add_main();
  std::vector<std::string> said;
  bool traffic = true;
  model::HealthCheck check;
  std::shared_ptr<const model::HealthCheckTarget> target;
  std::shared_ptr<HealthGeneration> generation = std::make_shared<HealthGeneration>(0);
  std::vector<std::shared_ptr<EndpointHealth>> health;
  std::vector<std::unique_ptr<sim::FakeUpstream>> upstreams;
  HealthChecker checker{
      {{loop, blocks, scratch}, network, random, metrics, [this](const std::string& words) { said.push_back(words); }}};
};

TEST_F(Checks, TheFirstSuccessSuffices) {
  start({});
  EXPECT_TRUE(checker.settled());
  auto before = generation->load();
  upstreams[0]->always(answer(200).in(100ms));
  start();
  EXPECT_TRUE(failed()) << "until it is known";
  EXPECT_FALSE(checker.settled());
  loop.advance(200ms);
  EXPECT_FALSE(failed());
  EXPECT_TRUE(checker.settled());
  EXPECT_EQ(generation->load(), before + 2);
  EXPECT_EQ(upstreams[0]->requests()[0].message.start_line, "GET /health HTTP/1.1");
  EXPECT_EQ(upstreams[0]->requests()[0].message.header("host"), "up");
  EXPECT_THAT(said, Contains(HasSubstr("endpoint 10.0.1.1:80 is healthy: its first check passed")));
}

TEST_F(Checks, TheLoadBalancerFollows) {
  upstreams[1]->always(answer(500));
  start({0, 1});
  std::vector<LbEndpoint> endpoints;
  model::Cluster cluster;
  cluster.panic_threshold_percent = 0;
  model::Endpoint config;
  for (const auto& each : health) {
    endpoints.push_back({&config, each.get(), 0});
  }
  LoadBalancer balancer(cluster, generation.get());
  balancer.set_endpoints(std::vector<LbEndpoint*>{&endpoints[0], &endpoints[1]});
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(balancer.pick({random}), &endpoints[0]);
  }
  upstreams[0]->always(answer(503));
  loop.advance(6s);
  EXPECT_EQ(balancer.pick({random}), nullptr);
}

TEST_F(Checks, AWrongStatusFailsAtOnceAndRecoveryTakesTheThreshold) {
  start();
  upstreams[0]->next(answer(503));
  loop.advance(5050ms);
  EXPECT_TRUE(failed()) << "Envoy waits for no threshold then";
  EXPECT_THAT(said, Contains(HasSubstr("fails its health check: it answered 503")));
  loop.advance(5050ms);
  EXPECT_TRUE(failed()) << "one of two";
  loop.advance(5050ms);
  EXPECT_FALSE(failed());
  EXPECT_THAT(said, Contains(HasSubstr("2 checks passed")));
  EXPECT_EQ(count(HealthCheckResult::failed), 1U);
  EXPECT_EQ(count(HealthCheckResult::passed), 3U);
}

TEST_F(Checks, OtherFailuresWaitForTheThreshold) {
  start();
  upstreams[0]->always(sim::silence());
  loop.advance(5s + 1100ms);
  EXPECT_FALSE(failed());
  loop.advance(6s);
  EXPECT_FALSE(failed());
  loop.advance(6s);
  EXPECT_TRUE(failed());
  EXPECT_EQ(count(HealthCheckResult::timeout), 3U);
  EXPECT_THAT(said, Contains(HasSubstr("no answer within 1000 ms")));
}

TEST_F(Checks, ASuccessBetweenBeginsAnew) {
  start();
  for (int i = 0; i < 4; ++i) {
    upstreams[0]->next(sim::reset()).next(sim::hang_up()).next(answer(200));
    loop.advance(15s);
  }
  EXPECT_FALSE(failed());
  EXPECT_EQ(count(HealthCheckResult::network), 8U);
}

TEST_F(Checks, WhoeverRefusesFails) {
  upstreams[0]->stop_listening();
  start();
  loop.advance(10ms);
  EXPECT_TRUE(failed());
  EXPECT_TRUE(checker.settled());
  EXPECT_THAT(said, Contains(HasSubstr("fails its first health check: Connection refused")));
  upstreams[0]->listen();
  loop.advance(5050ms);
  EXPECT_TRUE(failed());
  loop.advance(5050ms);
  EXPECT_FALSE(failed());
}

TEST_F(Checks, TheConnectionIsKept) {
  start();
  loop.advance(20100ms);
  EXPECT_EQ(asked(), 5U);
  EXPECT_EQ(upstreams[0]->connections(), 1U);
  upstreams[0]->close_all();
  loop.advance(20100ms);
  EXPECT_EQ(asked(), 9U);
  EXPECT_EQ(upstreams[0]->connections(), 2U);
  EXPECT_FALSE(failed()) << "a kept connection that closes says nothing";
}

TEST_F(Checks, OrNot) {
  check.reuse_connection = false;
  start();
  loop.advance(20100ms);
  EXPECT_EQ(upstreams[0]->connections(), 5U);
  EXPECT_EQ(upstreams[0]->open_connections(), 0U);
}

TEST_F(Checks, ExpectedStatusesMethodHostAndHeaders) {
  check.expected_statuses = {{200, 201}, {300, 400}};
  check.method = "HEAD";
  check.host = "api.local";
  check.headers = {{"x-probe", "1"}};
  upstreams[0]->always(sim::say("HTTP/1.1 302 Found\r\ncontent-length: 5\r\n\r\n"));
  start();
  EXPECT_FALSE(failed());
  const auto& request = upstreams[0]->requests()[0].message;
  EXPECT_EQ(request.start_line, "HEAD /health HTTP/1.1");
  EXPECT_EQ(request.header("host"), "api.local");
  EXPECT_EQ(request.header("x-probe"), "1");
  upstreams[0]->always(sim::say("HTTP/1.1 400 Bad\r\ncontent-length: 5\r\n\r\n"));
  loop.advance(5050ms);
  EXPECT_TRUE(failed());
}

TEST_F(Checks, AnEndpointMayHaveItsOwnPort) {
  sim::FakeUpstream side(loop, network, Address::parse("10.0.1.1", 8081).value());
  model::HealthCheckTarget own;
  own.port = 8081;
  own.hostname = "side";
  target = std::make_shared<const model::HealthCheckTarget>(own);
  start();
  EXPECT_EQ(asked(), 0U);
  ASSERT_EQ(side.requests().size(), 1U);
  EXPECT_EQ(side.requests()[0].message.header("host"), "side");
  EXPECT_FALSE(failed());
}

TEST_F(Checks, AnEndpointMayBeLeftAlone) {
  model::HealthCheckTarget own;
  own.disabled = true;
  target = std::make_shared<const model::HealthCheckTarget>(own);
  start();
  EXPECT_EQ(asked(), 0U);
  EXPECT_FALSE(failed());
}

TEST_F(Checks, WithoutTrafficTheyAreRare) {
  traffic = false;
  start();
  loop.advance(119s);
  EXPECT_EQ(asked(), 2U);
  traffic = true;
  loop.advance(12s);
  EXPECT_GE(asked(), 4U);
}

TEST_F(Checks, EdgesHaveIntervalsOfTheirOwn) {
  check.unhealthy_edge_interval = 1s;
  check.healthy_edge_interval = 2s;
  check.unhealthy_interval = 20s;
  start();
  upstreams[0]->next(sim::hang_up()).next(sim::hang_up()).next(sim::hang_up());
  loop.advance(5s + 2s + 50ms);
  EXPECT_TRUE(failed());
  loop.advance(19s);
  EXPECT_EQ(asked(), 4U);
  loop.advance(1s + 2s + 50ms);
  EXPECT_FALSE(failed());
}

TEST_F(Checks, JitterSpreadsThem) {
  check.initial_jitter = 5s;
  check.interval_jitter_percent = 50;
  start({0, 1});
  loop.advance(5050ms);
  ASSERT_EQ(asked(0), 1U);
  ASSERT_EQ(asked(1), 1U);
  EXPECT_NE(upstreams[0]->requests()[0].at, upstreams[1]->requests()[0].at);
  loop.advance(100s);
  EXPECT_LT(asked(0), 20U);
  EXPECT_GT(asked(0), 13U);
}

TEST_F(Checks, TcpNeedsAConnection) {
  check.kind = model::HealthCheck::Kind::tcp;
  start();
  EXPECT_FALSE(failed());
  EXPECT_EQ(upstreams[0]->open_connections(), 0U);
  upstreams[0]->stop_listening();
  loop.advance(16s);
  EXPECT_TRUE(failed());
}

TEST_F(Checks, TcpMayExpectAnAnswer) {
  check.kind = model::HealthCheck::Kind::tcp;
  check.send = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";  // that FakeUpstream understands
  check.receive = {"HTTP/1.1 200", "PONG"};
  upstreams[0]->always(answer(200, "a PONG b"));
  start();
  EXPECT_FALSE(failed());
  upstreams[0]->always(answer(200, "nothing"));
  loop.advance(20100ms);
  EXPECT_TRUE(failed()) << "what is missing never comes: timeouts";
}

TEST_F(Checks, AnotherConfigurationKeepsWhatIsKnown) {
  upstreams[0]->always(answer(500));
  start({0, 1});
  EXPECT_TRUE(failed(0));
  EXPECT_FALSE(failed(1));
  upstreams[1]->always(answer(200).in(500ms));
  check.path = "/other";
  start({1, 0});
  EXPECT_TRUE(failed(0));
  EXPECT_FALSE(failed(1)) << "it stays as it was while the new check is under way";
  EXPECT_TRUE(checker.settled());
  loop.advance(1s);
  EXPECT_EQ(upstreams[1]->requests().back().message.start_line, "GET /other HTTP/1.1");
  start({1});
  EXPECT_FALSE(failed(0)) << "nobody asks it any more";
  const std::size_t before = asked(0);
  loop.advance(60s);
  EXPECT_EQ(asked(0), before);
}

TEST_F(Checks, WhenAllAreKnownItIsSaid) {
  bool called = false;
  upstreams[0]->always(answer(200).in(300ms));
  upstreams[1]->always(sim::silence());
  start({0, 1});
  checker.when_settled([&] { called = true; });
  loop.advance(500ms);
  EXPECT_FALSE(called);
  loop.advance(600ms);
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace remora::upstream
