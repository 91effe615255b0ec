#include "proxy/exchange/retry.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/seed.h"

namespace remora::proxy {
namespace {

namespace on = model::retry_on;

struct Retries : ::testing::Test {
  BlockPool pool;
  Arena arena{pool};
  http::RequestHead head{arena};
  http::ResponseHead response{arena};
  model::RetryPolicy policy;
  Random random{testing::test_seed()};
  std::optional<RetryState> state;

  Retries() { method("GET"); }
  void method(std::string_view name) {
    head.method = name;
    head.method_id = http::method_id(name);
  }
  RetryState& make(std::uint32_t conditions, bool insider = false) {
    policy.conditions = conditions;
    return state.emplace(&policy, head, insider);
  }
  bool retried(int status) { return state->on_response(status, response.headers, random).verdict == RetryVerdict::yes; }
  bool retried(FailureKind kind, bool head_written = true) {
    return state->on_failure({.kind = kind, .head_written = head_written}, random).verdict == RetryVerdict::yes;
  }
};

TEST_F(Retries, StatusConditions) {
  struct Case {
    std::uint32_t conditions;
    int status;
    bool retried;
  };
  policy.num_retries = 1;
  policy.retriable_status_codes = {418};
  for (const Case& each :
       {Case{0, 503, false}, Case{on::k5xx, 500, true}, Case{on::k5xx, 599, true}, Case{on::k5xx, 404, false},
        Case{on::kGatewayError, 500, false}, Case{on::kGatewayError, 502, true}, Case{on::kGatewayError, 504, true},
        Case{on::kGatewayError, 505, false}, Case{on::kRetriable4xx, 409, true}, Case{on::kRetriable4xx, 404, false},
        Case{on::kRetriableStatusCodes, 418, true}, Case{on::kRetriableStatusCodes, 503, false},
        Case{on::kReset, 503, false}, Case{on::kConnectFailure, 503, false}, Case{on::k5xx, 200, false}}) {
    make(each.conditions);
    EXPECT_EQ(retried(each.status), each.retried) << each.conditions << " " << each.status;
  }
}

TEST_F(Retries, ResponseHeaders) {
  model::HeaderMatch match;
  match.name = "x-retry-me";
  policy.retriable_headers = {match};
  make(on::kRetriableHeaders);
  EXPECT_FALSE(retried(200));
  response.headers.add("x-retry-me", "1");
  EXPECT_TRUE(retried(200));
}

TEST_F(Retries, ARateLimitHasItsOwnCondition) {
  response.headers.add("x-envoy-ratelimited", "true");
  make(on::k5xx);
  EXPECT_FALSE(retried(503));
  make(on::kEnvoyRatelimited);
  EXPECT_TRUE(retried(429));
}

TEST_F(Retries, FailureConditions) {
  struct Case {
    std::uint32_t conditions;
    FailureKind kind;
    bool head_written;
    bool retried;
  };
  using enum FailureKind;
  policy.num_retries = 1;
  for (const Case& each : {Case{0, connect_failed, false, false},
                           Case{on::kConnectFailure, connect_failed, false, true},
                           Case{on::kConnectFailure, connect_timeout, false, true},
                           Case{on::kConnectFailure, closed_before_response, true, false},
                           Case{on::k5xx, connect_failed, false, true},
                           Case{on::kGatewayError, connect_timeout, false, true},
                           Case{on::k5xx, reset_before_response, true, true},
                           Case{on::kReset, closed_before_response, true, true},
                           Case{on::kReset, per_try_timeout, true, true},
                           Case{on::kResetBeforeRequest, closed_before_response, true, false},
                           Case{on::kResetBeforeRequest, closed_before_response, false, true},
                           Case{on::kRetriable4xx, per_try_timeout, true, false},
                           Case{on::kGatewayError, per_try_timeout, true, true},
                           Case{on::k5xx, protocol_error, true, true},
                           Case{on::k5xx, overflow_pending, false, false},
                           Case{on::k5xx, overflow_requests, false, false},
                           Case{on::k5xx, breaker_open, false, false},
                           Case{on::k5xx, no_healthy_endpoint, false, false},
                           Case{on::k5xx, request_timeout, true, false},
                           Case{on::k5xx, closed_mid_response, true, false}}) {
    make(each.conditions);
    EXPECT_EQ(retried(each.kind, each.head_written), each.retried)
        << each.conditions << " " << static_cast<int>(each.kind);
  }
}

TEST_F(Retries, WhatMayHaveBeenActedOnIsNotSentAgain) {
  method("POST");
  make(on::k5xx | on::kReset);
  EXPECT_EQ(state->on_response(503, response.headers, random).verdict, RetryVerdict::not_replayable);
  EXPECT_EQ(state->on_failure({.kind = FailureKind::closed_before_response, .head_written = true}, random).verdict,
            RetryVerdict::not_replayable);
  EXPECT_EQ(state->on_failure({.kind = FailureKind::per_try_timeout, .head_written = true}, random).verdict,
            RetryVerdict::not_replayable);
  EXPECT_EQ(state->retries_left(), 1U);
  EXPECT_TRUE(retried(FailureKind::connect_failed, false)) << "nothing was written";

  policy.retry_non_idempotent = true;
  make(on::k5xx);
  EXPECT_TRUE(retried(503));
}

TEST_F(Retries, AsManyAsThePolicySays) {
  policy.num_retries = 2;
  make(on::k5xx);
  EXPECT_TRUE(retried(503));
  EXPECT_TRUE(retried(FailureKind::connect_failed));
  EXPECT_EQ(state->on_response(503, response.headers, random).verdict, RetryVerdict::limit_exceeded);
  EXPECT_EQ(state->on_response(200, response.headers, random).verdict, RetryVerdict::no);
}

TEST_F(Retries, BackOffDoublesUpToTheMaximumFullyJittered) {
  REMORA_TRACE_SEED();
  policy.num_retries = 6;
  policy.base_interval = Milliseconds(100);
  policy.max_interval = Milliseconds(500);
  const std::array<int, 6> bounds = {100, 200, 400, 500, 500, 500};
  std::array<std::int64_t, 6> most{};
  for (int round = 0; round < 300; ++round) {
    make(on::k5xx);
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      const RetryDecision decision = state->on_response(503, response.headers, random);
      ASSERT_EQ(decision.verdict, RetryVerdict::yes);
      ASSERT_GE(decision.after.count(), 0);
      ASSERT_LT(decision.after.count(), bounds[i]);
      most[i] = std::max(most[i], decision.after.count());
    }
  }
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    EXPECT_GT(most[i], bounds[i] * 9 / 10) << "the whole interval is used";
  }
}

TEST_F(Retries, InsidersMayAsk) {
  head.headers.add("x-envoy-retry-on", "bogus, 5xx ,retriable-status-codes");
  head.headers.add("x-envoy-max-retries", "3");
  head.headers.add("x-envoy-retriable-status-codes", "418, x,429");
  head.headers.add("x-envoy-upstream-rq-timeout-ms", "200");
  head.headers.add("x-envoy-upstream-rq-per-try-timeout-ms", "50");
  head.headers.add("accept", "*/*");
  state.emplace(nullptr, head, true);
  EXPECT_EQ(state->retries_left(), 3U);
  EXPECT_TRUE(retried(429));
  EXPECT_TRUE(retried(500));
  EXPECT_FALSE(retried(400));
  EXPECT_EQ(state->request_timeout(), Milliseconds(200));
  EXPECT_EQ(state->per_try_timeout(Milliseconds(200)), Milliseconds(50));
  EXPECT_EQ(state->per_try_timeout(Milliseconds(50)), Milliseconds(0)) << "not shorter than the request's: none";
  EXPECT_EQ(head.headers.size(), 1U) << "none of it goes upstream";
}

TEST_F(Retries, OutsidersMayNot) {
  head.headers.add("x-envoy-retry-on", "5xx");
  head.headers.add("x-envoy-upstream-rq-timeout-ms", "200");
  state.emplace(nullptr, head, false);
  EXPECT_FALSE(retried(500));
  EXPECT_EQ(state->request_timeout(), std::nullopt);
  EXPECT_TRUE(head.headers.empty());
}

TEST_F(Retries, AHeaderAloneMeansOneRetry) {
  head.headers.add("x-envoy-retry-on", "5xx");
  state.emplace(nullptr, head, true);
  EXPECT_TRUE(retried(500));
  EXPECT_FALSE(retried(500));
}

TEST_F(Retries, RetriableRequestHeadersRuleOverAll) {
  model::HeaderMatch match;
  match.name = ":method";
  match.kind = model::HeaderMatch::Kind::string;
  match.string.text = "PUT";
  policy.retriable_request_headers = {match};
  head.headers.add("x-envoy-retry-on", "5xx");
  make(on::k5xx, true);
  EXPECT_FALSE(retried(500));
  method("PUT");
  make(on::k5xx);
  EXPECT_TRUE(retried(500));
}

TEST_F(Retries, TheKeepAliveRaceIsReplayedWhenThatIsSafe) {
  Failure race{.kind = FailureKind::closed_before_response, .head_written = true, .reused_connection = true};
  state.emplace(nullptr, head, false);
  EXPECT_TRUE(state->may_replay_race(race));
  race.kind = FailureKind::reset_before_response;
  EXPECT_TRUE(state->may_replay_race(race));
  Failure fresh = race;
  fresh.reused_connection = false;
  EXPECT_FALSE(state->may_replay_race(fresh));
  Failure begun = race;
  begun.response_begun = true;
  EXPECT_FALSE(state->may_replay_race(begun));

  method("POST");
  state.emplace(nullptr, head, false);
  EXPECT_FALSE(state->may_replay_race(race));
  race.head_written = false;
  EXPECT_TRUE(state->may_replay_race(race)) << "nothing of it left us";
}

TEST(RetryOn, NamesEveryCondition) {
  EXPECT_EQ(parse_retry_on("5xx,gateway-error,reset,reset-before-request,connect-failure,retriable-4xx,refused-stream,"
                           "retriable-status-codes,retriable-headers,envoy-ratelimited,http3-post-connect-failure"),
            (1U << 11) - 1);
  EXPECT_EQ(parse_retry_on(""), 0U);
  EXPECT_EQ(parse_retry_on(" , ,"), 0U);
}

}  // namespace
}  // namespace remora::proxy
