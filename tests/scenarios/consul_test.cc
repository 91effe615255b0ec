// A proxy that finds its peers in a Consul to which things happen, under load: whatever happens, no request fails that
// an instance could have answered.
#include <algorithm>
#include <array>

#include "proxy/sources/consul_source.h"
#include "proxy/sources/snapshot_builder.h"
#include "tests/scenarios/story.h"
#include "tests/sim/fake_consul.h"

namespace remora::scenarios {
namespace {

using sim::FakeConsul;
using sim::FakeInstance;

constexpr std::string_view kFollowsApi =
    "cluster_type: {name: remora.clusters.consul, typed_config: {'@type': "
    "type.googleapis.com/remora.clusters.consul.v3.ConsulCluster, target: {service: api}}}";

// Instance i of service api is upstream i of the story.
FakeInstance instance(int index, std::string_view status = "passing") {
  return {.id = "api-" + std::to_string(index + 1),
          .address = "10.0.1." + std::to_string(index + 1),
          .port = 80,
          .status = std::string(status)};
}

// A client that sends a request each 20 ms, and a proxy whose cluster "up" is service api.
class ConsulStory {
 public:
  explicit ConsulStory(const std::vector<FakeInstance>& instances, World world = {.upstreams = 3})
      : story_(world), consul_(story_.loop(), story_.network(), agent().address) {
    consul_.set_service("api", instances);
    world.discovery = kFollowsApi;
    builder_ = std::make_unique<sources::SnapshotBuilder>(
        story_.loop(), read_bootstrap_of(world),
        sources::SnapshotBuilder::Events{.publish =
                                             [this](std::shared_ptr<const model::Snapshot> snapshot) {
                                               EXPECT_TRUE(story_.adopt(std::move(snapshot)).errors.empty());
                                             },
                                         .references_changed = [this] { source_.follow(builder_->clusters()); }});
    story_.advance(100ms);
    EXPECT_TRUE(builder_->settled());
  }

  FakeConsul& consul() { return consul_; }
  Story& story() { return story_; }
  sources::ConsulClusterFacts facts() { return *source_.cluster("up"); }
  std::size_t asked(std::size_t upstream) { return story_.upstream(upstream).requests().size(); }

  // Load, all of which is answered.
  void serves(Nanoseconds time) {
    for (const MonotonicTime until = story_.now() + time; story_.now() < until;) {
      story_.client_sends("GET /");
      story_.client_gets(200);
      story_.advance(10ms);
    }
  }
  // And all of it by these.
  void serves_by(const std::vector<std::size_t>& upstreams, Nanoseconds time = 1s) {
    std::array<std::size_t, 3> before{};
    for (std::size_t i = 0; i < before.size(); ++i) {
      before.at(i) = asked(i);
    }
    serves(time);
    for (std::size_t i = 0; i < before.size(); ++i) {
      const bool expected = std::ranges::find(upstreams, i) != upstreams.end();
      EXPECT_EQ(asked(i) > before.at(i), expected) << "upstream " << i;
    }
  }

 private:
  static consul::Agent agent() { return {Address::parse("10.1.0.1", 8500).value(), "10.1.0.1:8500", ""}; }

  Story story_;
  BlockPool blocks_;
  std::array<char, 16 * 1024> scratch_{};
  Random random_{story_.seed() + 7};
  FakeConsul consul_;
  consul::Client client_{net::ConnectionContext{story_.loop(), blocks_, scratch_}, story_.network(),
                         consul::ClientOptions{.agents = {agent()}, .token = {}}};
  std::unique_ptr<sources::SnapshotBuilder> builder_;
  sources::ConsulSource source_{
      client_, random_,
      sources::ConsulSource::Events{
          .set_endpoints = [this](const std::string& cluster, std::vector<model::Endpoint> endpoints) {
            builder_->set_endpoints(cluster, std::move(endpoints));
          }}};
};

TEST(Consul, AnInstanceThatIsRegisteredGetsItsShare) {
  ConsulStory mesh({instance(0)});
  mesh.serves_by({0});
  mesh.consul().set_service("api", {instance(0), instance(1)});
  mesh.serves(200ms);
  mesh.serves_by({0, 1});
  EXPECT_EQ(mesh.story().upstream(0).connections(), 1U) << "the instance that stayed lost its warm connection";
}

TEST(Consul, AnInstanceThatFailsItsCheckOrIsDeregisteredGetsNoMore) {
  ConsulStory mesh({instance(0), instance(1), instance(2)});
  mesh.serves_by({0, 1, 2});
  mesh.consul().set_service("api", {instance(0), instance(1, "critical"), instance(2)});
  mesh.serves(200ms);
  mesh.serves_by({0, 2});
  mesh.consul().set_service("api", {instance(0)});
  mesh.serves(200ms);
  mesh.serves_by({0});
}

TEST(Consul, ARequestInFlightToAnInstanceThatLeavesIsAnswered) {
  ConsulStory mesh({instance(0)});
  mesh.story().upstream(0).always(sim::answer(200, "late").in(2s));
  mesh.story().client_sends("GET /");
  mesh.consul().set_service("api", {instance(1)});
  mesh.story().advance(500ms);
  EXPECT_EQ(mesh.story().client_gets(200, 0, 3s).body, "late");
  mesh.serves_by({1});
}

TEST(Consul, EveryOutageLeavesTheLastGoodServing) {
  using Mode = FakeConsul::Mode;
  for (const auto mode : {Mode::hangs, Mode::no_leader, Mode::stale_leaderless, Mode::errors, Mode::garbage,
                          Mode::wrong_shape, Mode::zero_index, Mode::forbidden}) {
    SCOPED_TRACE(static_cast<int>(mode));
    ConsulStory mesh({instance(0), instance(1)});
    mesh.serves(1s);
    mesh.consul().mode = mode;
    mesh.consul().touch();
    mesh.serves(20s);
    mesh.story().advance(600s);  // whatever Consul said must be asked again, and again
    mesh.serves_by({0, 1});
    mesh.consul().mode = Mode::well;
    mesh.consul().set_service("api", {instance(1), instance(2)});
    mesh.serves(40s);  // with the longest back-off
    mesh.story().advance(60s);
    mesh.serves_by({1, 2});
    EXPECT_TRUE(mesh.facts().failing.empty()) << mesh.facts().failing;
  }
}

TEST(Consul, AnAgentThatDiesAndComesBackIsFollowedAgain) {
  ConsulStory mesh({instance(0)});
  mesh.serves(1s);
  mesh.consul().stop();
  mesh.serves(30s);
  EXPECT_FALSE(mesh.facts().failing.empty());
  EXPECT_GE(mesh.facts().age, Nanoseconds(29s));
  mesh.consul().start();
  mesh.consul().set_service("api", {instance(1)});
  mesh.serves(40s);
  mesh.serves_by({1});
}

TEST(Consul, ARestartedAgentThatCallsAllCriticalCostsNothing) {
  ConsulStory mesh({instance(0), instance(1)});
  mesh.serves(1s);
  mesh.consul().restart(1, /*forget=*/false);
  mesh.consul().set_service("api", {instance(0, "critical"), instance(1, "critical")});
  mesh.serves(20s);
  EXPECT_TRUE(mesh.facts().holding);
  mesh.consul().set_service("api", {instance(0), instance(1)});
  mesh.serves(2s);
  mesh.serves_by({0, 1}, 40s);
  EXPECT_FALSE(mesh.facts().holding);
}

TEST(Consul, ARestartedAgentThatForgotIsBelievedAfter30Seconds) {
  ConsulStory mesh({instance(0)});
  mesh.serves(1s);
  mesh.consul().restart(1, /*forget=*/true);
  mesh.serves(28s);
  mesh.story().advance(5s);
  mesh.story().client_sends("GET /");
  const auto refused = mesh.story().client_gets(503);
  EXPECT_FALSE(refused.header("x-remora-reason").empty()) << "a 503 names its reason";
}

TEST(Consul, AFlappingIndexAsksAtMostSoOftenAndDropsNothing) {
  ConsulStory mesh({instance(0), instance(1)});
  const std::size_t before = mesh.consul().asked().size();
  for (int i = 0; i < 200; ++i) {
    mesh.consul().set_service("api", {instance(0, i % 2 == 0 ? "critical" : "passing"), instance(1)});
    mesh.serves(40ms);
  }
  EXPECT_LE(mesh.consul().asked().size() - before, 100U);  // 8 s, ten a second
}

TEST(Consul, SeveredConnectionsToConsulLoseNoRequest) {
  ConsulStory mesh({instance(0), instance(1), instance(2)});
  for (int round = 0; round < 20; ++round) {
    mesh.consul().restart(mesh.consul().index() + 1, /*forget=*/false);
    mesh.consul().set_service("api", {instance(round % 3), instance((round + 1) % 3)});
    mesh.serves(2s);
  }
}

}  // namespace
}  // namespace remora::scenarios
