// The three-state breaker, and the limits of a cluster.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

World breaking(int probes = 1) {
  return {.cluster_metadata =
              "breaker: {failure_threshold: 3, recovery_time: 5s, probes: " + std::to_string(probes) + "}"};
}

void open(Story& story) {
  story.upstream().next(answer(503, "1")).next(answer(500, "2")).next(answer(503, "3"));
  for (int i = 0; i < 3; ++i) {
    story.client_sends("GET /");
    story.client_gets(i == 1 ? 500 : 503);
  }
}

TEST(Breaker, OpensAfterConsecutiveFailuresAndSparesTheCluster) {
  Story story(breaking());
  open(story);
  for (int i = 0; i < 10; ++i) {
    story.client_sends("GET /");
    EXPECT_EQ(story.client_gets(503).header("x-remora-reason"), "breaker_open");
  }
  EXPECT_EQ(story.requests_upstream(), 3U);
}

TEST(Breaker, ASuccessBetweenKeepsItClosed) {
  Story story(breaking());
  for (int i = 0; i < 10; ++i) {
    story.upstream().next(answer(503, "")).next(answer(503, "")).next(answer(200, ""));
  }
  for (int i = 0; i < 30; ++i) {
    story.client_sends("GET /");
    story.client_gets(i % 3 == 2 ? 200 : 503);
  }
  EXPECT_EQ(story.requests_upstream(), 30U);
}

TEST(Breaker, AProbeThatSucceedsClosesIt) {
  Story story(breaking());
  open(story);
  story.advance(5s);
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.cluster().breaker.state(), upstream::Breaker::State::closed);
  story.client_sends("GET /");
  story.client_gets(200);
}

TEST(Breaker, AProbeThatFailsOpensItAgain) {
  Story story(breaking());
  open(story);
  story.advance(5s);
  story.upstream().next(answer(503, "still"));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(503).body, "still");
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(503).header("x-remora-reason"), "breaker_open");
  story.advance(5s);
  story.client_sends("GET /");
  story.client_gets(200);
}

TEST(Breaker, OnlySoManyProbesAtOnce) {
  Story story(breaking(2));
  open(story);
  story.advance(5s);
  story.upstream().always(answer(200, "probe").in(1s));
  for (int i = 1; i <= 4; ++i) {
    story.client_sends("GET /", "", "", i);
  }
  story.client_gets(503, 3);
  story.client_gets(503, 4);
  story.advance(1s);
  story.client_gets(200, 1);
  story.client_gets(200, 2);
  EXPECT_EQ(story.cluster().breaker.state(), upstream::Breaker::State::closed);
}

TEST(Breaker, AProbeWhoseClientLeavesMakesRoomForAnother) {
  Story story(breaking());
  open(story);
  story.advance(5s);
  story.upstream().next(silence());
  story.client_sends("GET /", "", "", 1);
  story.client_leaves(1);
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.cluster().breaker.state(), upstream::Breaker::State::closed);
}

TEST(Breaker, TimeoutsCountAsFailures) {
  World world = breaking();
  world.route = "timeout: 1s";
  Story story(world);
  story.upstream().always(silence());
  for (int i = 0; i < 3; ++i) {
    story.client_sends("GET /");
    story.advance(1s);
    story.client_gets(504);
  }
  EXPECT_EQ(story.cluster().breaker.state(), upstream::Breaker::State::open);
}

TEST(Breaker, RetriesStopWhenItOpens) {
  World world = breaking();
  world.route = "retry_policy: {retry_on: 5xx, num_retries: 20, retry_back_off: {base_interval: 0.001s}}";
  Story story(world);
  story.upstream().always(answer(503, "no"));
  story.client_sends("GET /");
  story.client_gets(503, 0, 1s);
  EXPECT_EQ(story.requests_upstream(), 3U);
}

TEST(Limits, OfRequests) {
  Story story({.cluster = "circuit_breakers: {thresholds: [{max_requests: 2}]}"});
  story.upstream().always(answer(200, "late").in(1s));
  for (int i = 0; i < 3; ++i) {
    story.client_sends("GET /", "", "", i);
  }
  EXPECT_EQ(story.client_gets(503, 2).header("x-remora-reason"), "max_requests");
  story.advance(1s);
  story.client_gets(200, 0);
  story.client_gets(200, 1);
  story.client_sends("GET /", "", "", 2);
  story.advance(1s);
  story.client_gets(200, 2);
}

TEST(Limits, OfConnectionsMakeRequestsWait) {
  Story story({.cluster = "circuit_breakers: {thresholds: [{max_connections: 1}]}"});
  story.upstream().always(answer(200, "late").in(100ms));
  for (int i = 0; i < 3; ++i) {
    story.client(i).send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  }
  story.advance(400ms);
  for (int i = 0; i < 3; ++i) {
    story.client_gets(200, i);
  }
  EXPECT_EQ(story.upstream().connections(), 1U);
}

TEST(Limits, OfPendingRequests) {
  Story story({.cluster = "circuit_breakers: {thresholds: [{max_connections: 1, max_pending_requests: 1}]}"});
  story.upstream().always(answer(200, "late").in(1s));
  for (int i = 0; i < 3; ++i) {
    story.client_sends("GET /", "", "", i);
  }
  const auto refused = story.client_gets(503, 2);
  EXPECT_EQ(refused.header("x-remora-reason"), "max_pending_requests");
  EXPECT_EQ(refused.header("x-envoy-overloaded"), "true");
  story.advance(2100ms);
  story.client_gets(200, 0);
  story.client_gets(200, 1);
}

}  // namespace
}  // namespace remora::scenarios
