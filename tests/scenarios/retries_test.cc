// Trying again: when, how often, how soon, and when never.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

World retrying(const std::string& policy, int upstreams = 1) {
  return {.route = "retry_policy: {" + policy + ", retry_back_off: {base_interval: 0.001s, max_interval: 0.001s}}",
          .upstreams = upstreams};
}

TEST(Retries, AFailureIsTriedAgain) {
  for (const auto& failure : {answer(503, "no"), hang_up(), reset(), say("SMTP ready\r\n\r\n")}) {
    Story story(retrying("retry_on: 5xx, num_retries: 1"));
    story.upstream().next(failure);
    story.client_sends("GET /");
    EXPECT_EQ(story.client_gets(200).body, "ok");
    EXPECT_EQ(story.requests_upstream(), 2U);
    EXPECT_EQ(story.cluster_metrics().retries_succeeded.value(), 1U);
  }
}

TEST(Retries, OnlyAsOftenAsThePolicySays) {
  Story story(retrying("retry_on: 5xx, num_retries: 2"));
  story.upstream().always(answer(503, "no"));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(503).body, "no") << "the upstream's own last answer";
  EXPECT_EQ(story.requests_upstream(), 3U);
  EXPECT_EQ(story.cluster_metrics().retries_denied[metrics::RetryDenied::limit].value(), 1U);
}

TEST(Retries, WithoutAPolicyThereAreNone) {
  Story story;
  story.upstream().next(answer(503, "no"));
  story.client_sends("GET /");
  story.client_gets(503);
  EXPECT_EQ(story.requests_upstream(), 1U);
}

TEST(Retries, OnlyOnConditionsThatWereNamed) {
  Story story(retrying("retry_on: connect-failure, num_retries: 5"));
  story.upstream().next(answer(503, "no"));
  story.client_sends("GET /");
  story.client_gets(503);
  EXPECT_EQ(story.requests_upstream(), 1U);
}

TEST(Retries, ThePostThatMayHaveBeenActedOnIsNeverSentAgain) {
  for (const auto& failure : {answer(503, "no"), hang_up(), reset()}) {
    Story story(retrying("retry_on: '5xx,reset', num_retries: 5"));
    story.upstream().next(failure);
    story.client_sends("POST /pay", "", "money");
    story.client_gets(503);
    EXPECT_EQ(story.requests_upstream(), 1U);
    EXPECT_EQ(story.cluster_metrics().retries_denied[metrics::RetryDenied::not_replayable].value(), 1U);
  }
}

TEST(Retries, APostThatNobodySawIsSentElsewhere) {
  Story story(retrying("retry_on: connect-failure, num_retries: 3", 2));
  story.upstream(0).stop_listening();
  for (int i = 0; i < 4; ++i) {
    story.client_sends("POST /pay", "", "money");
    story.client_gets(200);
  }
  ASSERT_EQ(story.upstream(1).requests().size(), 4U);
  for (const auto& request : story.upstream(1).requests()) {
    EXPECT_EQ(request.message.body, "money");
  }
}

TEST(Retries, AnOwnerMayAllowPostsToBeSentAgain) {
  World world = retrying("retry_on: 5xx, num_retries: 1");
  world.metadata = "retry_non_idempotent: true";
  Story story(world);
  story.upstream().next(answer(503, "no"));
  story.client_sends("POST /idempotent-by-key", "", "money");
  story.client_gets(200);
  ASSERT_EQ(story.requests_upstream(), 2U);
  EXPECT_EQ(story.upstream().requests()[1].message.body, "money");
}

TEST(Retries, TheBodyIsSentAgain) {
  Story story(retrying("retry_on: '5xx,reset', num_retries: 3"));
  const std::string body(50'000, 'x');
  story.upstream().next(hang_up()).next(answer(502, "")).next(reset());
  story.client_sends("PUT /thing", "", body);
  story.client_gets(200);
  ASSERT_EQ(story.requests_upstream(), 4U);
  for (const auto& request : story.upstream().requests()) {
    EXPECT_TRUE(request.message.body == body);
  }
}

TEST(Retries, ABodyTooLargeToKeepIsNotSentAgain) {
  World world = retrying("retry_on: 5xx, num_retries: 3");
  world.listener = "per_connection_buffer_limit_bytes: 10000";
  Story story(world);
  story.upstream().next(answer(503, "no"));
  story.client_sends("PUT /thing", "", std::string(50'000, 'x'));
  story.client_gets(503);
  EXPECT_EQ(story.requests_upstream(), 1U);
}

TEST(Retries, AChunkedBodyWithTrailersIsSentAgain) {
  Story story(retrying("retry_on: 5xx, num_retries: 1"));
  story.upstream().next(answer(503, "no"));
  story.client_sends_bytes("PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
  story.client_sends_bytes("2\r\nde\r\n0\r\n\r\n");
  story.client_gets(200);
  ASSERT_EQ(story.requests_upstream(), 2U);
  EXPECT_EQ(story.upstream().requests()[0].message.body, "abcde");
  EXPECT_EQ(story.upstream().requests()[1].message.body, "abcde");
}

TEST(Retries, BackOffIsJitteredWithinDoublingBounds) {
  Story story({.route = "timeout: 60s, retry_policy: {retry_on: 5xx, num_retries: 4, retry_back_off: {base_interval: "
                        "1s, max_interval: 4s}}"});
  story.upstream().always(answer(503, "no"));
  story.client_sends("GET /");
  story.advance(12s);
  story.client_gets(503);
  const auto& requests = story.upstream().requests();
  ASSERT_EQ(requests.size(), 5U);
  const Nanoseconds bounds[] = {1s, 2s, 4s, 4s};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto pause = requests[i + 1].at - requests[i].at;
    EXPECT_LT(pause, bounds[i] + 10ms);
    EXPECT_GE(pause, 2ms) << "there and back again takes two";
  }
}

TEST(Retries, TheBudgetHoldsBackAStorm) {
  Story story({.route = "timeout: 60s, retry_policy: {retry_on: 5xx, num_retries: 1, retry_back_off: {base_interval: "
                        "30s, max_interval: 30s}}"});
  story.upstream().always(answer(503, "no").in(100ms));
  constexpr int kClients = 40;
  for (int i = 0; i < kClients; ++i) {
    story.client(i).send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  }
  story.advance(200ms);
  // All failed at once. While 40 were active, 8 might retry; each refused one leaves fewer active, but never under 3.
  const auto denied = story.cluster_metrics().retries_denied[metrics::RetryDenied::budget].value();
  EXPECT_GE(denied, 32U);
  EXPECT_LE(denied, 37U);
  EXPECT_EQ(story.cluster().limits.active(upstream::ClusterLimits::Kind::retries), kClients - denied);
  story.advance(61s);
}

TEST(Retries, MaxRetriesHoldsToo) {
  Story story({.route = "timeout: 60s, retry_policy: {retry_on: 5xx, num_retries: 1, retry_back_off: {base_interval: "
                        "30s, max_interval: 30s}}",
               .cluster = "circuit_breakers: {thresholds: [{max_retries: 1}]}"});
  story.upstream().always(answer(503, "no"));
  for (int i = 0; i < 3; ++i) {
    story.client_sends("GET /", "", "", i);
  }
  EXPECT_EQ(story.cluster_metrics().retries_denied[metrics::RetryDenied::budget].value(), 2U);
}

TEST(Retries, AnotherHostIsPreferredWhereThePolicySaysSo) {
  World world;
  world.route =
      "retry_policy: {retry_on: 5xx, num_retries: 1, host_selection_retry_max_attempts: 5, retry_host_predicate: "
      "[{name: envoy.retry_host_predicates.previous_hosts, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]}";
  world.cluster = "lb_policy: ROUND_ROBIN";
  world.upstreams = 2;
  Story story(world);
  story.upstream(0).always(answer(503, "no"));
  for (int i = 0; i < 10; ++i) {
    story.client_sends("GET /");
    story.client_gets(200, 0, 100ms);
  }
}

TEST(Retries, AnAnswerThatBeganIsNotTriedAgain) {
  Story story(retrying("retry_on: '5xx,reset', num_retries: 5"));
  story.upstream().next(say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").then_close());
  story.client_sends("GET /");
  story.client_is_closed();
  EXPECT_EQ(story.requests_upstream(), 1U);
}

TEST(Retries, AClientThatLeavesDuringTheBackOffIsForgotten) {
  Story story({.route = "retry_policy: {retry_on: 5xx, num_retries: 1, retry_back_off: {base_interval: 10s, "
                        "max_interval: 10s}}"});
  story.upstream().always(answer(503, "no"));
  story.client_sends("GET /");
  const std::size_t tried = story.requests_upstream();
  story.client_leaves();
  story.advance(20s);
  EXPECT_EQ(story.requests_upstream(), tried);
}

TEST(Retries, TheFirstAnswersBodyIsNotMixedIntoTheSecond) {
  Story story(retrying("retry_on: 5xx, num_retries: 1"));
  story.upstream().next(answer(503, std::string(100'000, 'n')));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).body, "ok");
}

// Nothing of it was taken by the kernel, so nobody can have acted on it.
TEST(Retries, APostOfWhichNothingWasWrittenIsSentAgain) {
  for (const std::size_t window : {0, 10}) {
    Story story(retrying("retry_on: reset, num_retries: 1"));
    story.client();  // its own connection is as usual
    story.network().weather.window = window;
    story.client_sends("POST /pay", "", "money");
    story.network().weather.window = 64 * 1024;
    EXPECT_EQ(story.upstream().connections(), 1U);
    story.upstream().connection(0).half_close();
    story.advance(20ms);
    if (window == 0) {
      story.client_gets(200);
      ASSERT_EQ(story.requests_upstream(), 1U);
      EXPECT_EQ(story.upstream().requests()[0].message.body, "money");
    } else {
      story.client_gets(503);
      EXPECT_EQ(story.cluster_metrics().retries_denied[metrics::RetryDenied::not_replayable].value(), 1U);
    }
  }
}

}  // namespace
}  // namespace remora::scenarios
