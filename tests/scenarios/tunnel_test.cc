// TCP tunnels: bytes both ways, ends that reach the other side, and what happens when no endpoint can be had.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

using metrics::TunnelEnd;

constexpr const char* kTwoAttempts = "cluster: up, max_connect_attempts: 2";

Address endpoint(int number) { return Address::parse("10.0.1." + std::to_string(number), 80).value(); }

// What the upstream does is the test's own.
sim::Peer& take_over(Story& story, std::size_t connection = 0, std::size_t upstream = 0) {
  sim::Peer& peer = story.upstream(upstream).connection(connection);
  peer.on_change = nullptr;
  return peer;
}

std::uint64_t ended(Story& story, TunnelEnd end) { return story.tunnels().ended[end].value(); }

TEST(Tunnel, BytesPassBothWays) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("hello ");
  sim::Peer& up = take_over(story);
  EXPECT_EQ(up.received, "hello ");
  up.send("welcome");
  story.client_sends_bytes("again");
  EXPECT_EQ(up.received, "hello again");
  EXPECT_EQ(story.client().received, "welcome");
  EXPECT_EQ(story.tunnels().active.value(), 1);
  EXPECT_EQ(story.tunnels().bytes_received.value(), 11U);
  EXPECT_EQ(story.tunnels().bytes_sent.value(), 7U);
}

TEST(Tunnel, AServerMaySpeakFirst) {
  Story story({.tcp = "cluster: up"});
  story.client();
  story.advance(10ms);
  take_over(story).send("220 ready\r\n");
  story.advance(10ms);
  EXPECT_EQ(story.client().received, "220 ready\r\n");
}

TEST(Tunnel, AClientThatIsDoneStillGetsItsAnswer) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("question");
  sim::Peer& up = take_over(story);
  story.client().half_close();
  story.advance(10ms);
  EXPECT_TRUE(up.ended);
  story.client_is_open();
  up.send("answer");
  story.advance(10ms);
  EXPECT_EQ(story.client().received, "answer");
  up.half_close();
  story.client_is_closed();
  EXPECT_EQ(ended(story, TunnelEnd::closed), 1U);
}

TEST(Tunnel, AnUpstreamThatIsDoneStillHears) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("a");
  sim::Peer& up = take_over(story);
  up.send("bye");
  up.half_close();
  story.advance(10ms);
  EXPECT_EQ(story.client().received, "bye");
  EXPECT_TRUE(story.client().ended);
  story.client_sends_bytes("b");
  EXPECT_EQ(up.received, "ab");
  story.client().half_close();
  story.advance(10ms);
  EXPECT_TRUE(up.ended);
  EXPECT_EQ(ended(story, TunnelEnd::closed), 1U);
}

TEST(Tunnel, AnEndBeforeTheConnectionIsThereIsNotLost) {
  Story story({.tcp = "cluster: up"});
  story.client().send("all of it");
  story.client().half_close();
  story.advance(20ms);
  sim::Peer& up = take_over(story);
  EXPECT_EQ(up.received, "all of it");
}

TEST(Tunnel, AResetIsAReset) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("x");
  sim::Peer& up = take_over(story);
  up.send("last words");
  up.close(/*reset=*/true);
  story.advance(10ms);
  EXPECT_TRUE(story.client().was_reset);
  EXPECT_EQ(ended(story, TunnelEnd::upstream_reset), 1U);

  story.client_sends_bytes("x", 1);
  sim::Peer& second = take_over(story, 1);
  story.client_leaves(1);
  story.advance(10ms);
  EXPECT_TRUE(second.was_reset);
  EXPECT_EQ(ended(story, TunnelEnd::downstream_reset), 1U);
}

TEST(Tunnel, ASlowReaderPausesItsWriter) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("x");
  sim::Peer& up = take_over(story);
  story.client().stop_reading();
  up.send(std::string(8 << 20, 'u'));
  story.advance(1s);
  EXPECT_GT(up.unsent(), 7U << 20);  // the proxy took a bounded part of it
  story.client().resume_reading();
  up.half_close();
  story.advance(10s);
  EXPECT_EQ(story.client().total_received, std::size_t{8} << 20);
  EXPECT_TRUE(story.client().ended);

  // The other way.
  up.stop_reading();
  story.client().send(std::string(8 << 20, 'c'));
  story.advance(1s);
  EXPECT_GT(story.client().unsent(), 7U << 20);
  up.resume_reading();
  story.client().half_close();
  story.advance(10s);
  EXPECT_EQ(up.total_received, (std::size_t{8} << 20) + 1);
  EXPECT_EQ(ended(story, TunnelEnd::closed), 1U);
}

TEST(Tunnel, ASlowReaderGetsAllThoughBothSidesAreDone) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("x");
  sim::Peer& up = take_over(story);
  story.client().half_close();
  story.client().stop_reading();
  up.send(std::string(150'000, 'u'));
  up.half_close();
  story.advance(10min);  // far longer than any linger
  EXPECT_FALSE(story.client().over());
  story.client().resume_reading();
  story.advance(1s);
  EXPECT_EQ(story.client().total_received, 150'000U);
  EXPECT_TRUE(story.client().ended);
  EXPECT_EQ(ended(story, TunnelEnd::closed), 1U);
}

TEST(Tunnel, IdleOnesEnd) {
  Story story({.tcp = "cluster: up, idle_timeout: 10s"});
  story.client_sends_bytes("x");
  take_over(story);
  story.advance(9s);
  story.client_sends_bytes("y");
  story.advance(9s);
  story.client_is_open();
  story.advance(1100ms);
  story.client_is_closed();
  EXPECT_EQ(ended(story, TunnelEnd::idle), 1U);
}

TEST(Tunnel, NoneIsIdleForEver) {
  Story story({.tcp = "cluster: up, idle_timeout: 0s"});
  story.client_sends_bytes("x");
  take_over(story);
  story.advance(5h);
  story.client_is_open();
}

TEST(Tunnel, AnHourIsTheDefault) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("x");
  take_over(story);
  story.advance(59min);
  story.client_is_open();
  story.advance(2min);
  story.client_is_closed();
}

TEST(Tunnel, ThereMayBeALongestDuration) {
  Story story({.tcp = "cluster: up, max_downstream_connection_duration: 5s"});
  story.client_sends_bytes("x");
  take_over(story);
  story.advance(4s);
  story.client_sends_bytes("x");
  story.client_is_open();
  story.advance(1s);
  story.client_is_closed();
  EXPECT_EQ(ended(story, TunnelEnd::max_duration), 1U);
}

TEST(Tunnel, ARefusedEndpointClosesTheClient) {
  Story story({.tcp = "cluster: up"});
  story.upstream().stop_listening();
  story.client();
  story.client_is_closed();
  EXPECT_FALSE(story.client().was_reset);
  EXPECT_EQ(ended(story, TunnelEnd::connect_failed), 1U);
  EXPECT_EQ(story.cluster_metrics().connect_failures[metrics::ConnectFailure::refused].value(), 1U);
}

TEST(Tunnel, AnotherAttemptGoesToAnotherEndpoint) {
  Story story({.upstreams = 2, .tcp = kTwoAttempts});
  story.upstream(0).stop_listening();
  for (int i = 0; i < 4; ++i) {
    story.client_sends_bytes("x", i);
    story.client_is_open(i);
  }
  EXPECT_EQ(story.upstream(1).connections(), 4U);
  EXPECT_GT(story.tunnels().connect_retries.value(), 0U);
}

TEST(Tunnel, ConnectingTakesNoLongerThanItsTimeout) {
  Story story({.cluster = "connect_timeout: 2s", .tcp = "cluster: up"});
  story.upstream().stop_listening();
  story.network().set_reach(endpoint(1), sim::Reach::blackhole);
  story.client_sends_bytes("x");
  story.advance(1900ms);
  story.client_is_open();
  EXPECT_EQ(story.cluster().limits.active(upstream::ClusterLimits::Kind::pending), 1U);
  story.advance(100ms);
  story.client_is_closed();
  EXPECT_EQ(ended(story, TunnelEnd::connect_timeout), 1U);
}

TEST(Tunnel, AnEndpointThatCannotBeReachedIsEjected) {
  Story story({.cluster = "outlier_detection: {consecutive_5xx: 3, interval: 1s, base_ejection_time: 30s, "
                          "max_ejection_percent: 100}",
               .upstreams = 2,
               .tcp = kTwoAttempts});
  story.upstream(0).stop_listening();
  for (int i = 0; i < 8; ++i) {
    story.client_sends_bytes("x", i);
  }
  const std::size_t before = story.network().connects();
  for (int i = 8; i < 16; ++i) {
    story.client_sends_bytes("x", i);
  }
  EXPECT_EQ(story.network().connects() - before, 16U);  // 8 clients', and one each upstream: no attempt failed
}

TEST(Tunnel, TooManyAreRefused) {
  Story story({.cluster = "circuit_breakers: {thresholds: [{max_connections: 2}]}", .tcp = "cluster: up"});
  for (int i = 0; i < 3; ++i) {
    story.client_sends_bytes("x", i);
  }
  story.client_is_open(0);
  story.client_is_open(1);
  story.client_is_closed(2);
  EXPECT_EQ(ended(story, TunnelEnd::overflow), 1U);
  EXPECT_EQ(story.cluster_metrics().overflows[metrics::Overflow::connections].value(), 1U);
  story.client_leaves(0);
  story.client_sends_bytes("x", 3);
  story.client_is_open(3);
}

TEST(Tunnel, WithoutEndpointsTheClientIsClosed) {
  Story story({.upstreams = 0, .tcp = "cluster: up"});
  story.client_sends_bytes("x");
  story.client_is_closed();
  EXPECT_EQ(ended(story, TunnelEnd::no_endpoint), 1U);
}

TEST(Tunnel, WeightsChooseTheCluster) {
  Story story({.tcp = "weighted_clusters: {clusters: [{name: up, weight: 3}, {name: other, weight: 1}]}",
               .clusters = "{name: other, type: STATIC, load_assignment: {cluster_name: other}}"});
  int open = 0;
  for (int i = 0; i < 400; ++i) {
    story.client_sends_bytes("x", i);
    open += story.client(i).over() ? 0 : 1;
  }
  EXPECT_NEAR(open, 300, 40);
}

TEST(Tunnel, ADrainLetsItRunUntilTheDeadline) {
  Story story({.tcp = "cluster: up"});
  story.client_sends_bytes("x");
  sim::Peer& up = take_over(story);
  story.worker().drain();
  story.worker().stop_listening();
  story.advance(60s);
  story.client_sends_bytes("y");
  EXPECT_EQ(up.received, "xy");
  story.worker().close_all();
  story.advance(10ms);
  EXPECT_TRUE(story.client().was_reset) << "a cut stream must not look like a whole one";
  EXPECT_TRUE(up.was_reset);
  EXPECT_EQ(ended(story, TunnelEnd::shutdown), 1U);
}

TEST(Tunnel, NoWeatherChangesTheBytes) {
  Story story({.weather = {.window = 3000, .most_written = 700, .split_segments = true}, .tcp = "cluster: up"});
  std::string sent;
  for (int i = 0; i < 100'000; ++i) {
    sent += static_cast<char>('a' + i % 23);
  }
  story.client_sends_bytes(sent);
  sim::Peer& up = take_over(story);
  up.send(sent);
  story.client().half_close();
  story.advance(20s);
  up.half_close();
  story.advance(20s);
  EXPECT_EQ(up.received, sent);
  EXPECT_EQ(story.client().received, sent);
  EXPECT_EQ(ended(story, TunnelEnd::closed), 1U);
}

}  // namespace
}  // namespace remora::scenarios
