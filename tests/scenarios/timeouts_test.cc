// When nobody answers in time: connect, request, per-try and idle timeouts, and slow clients.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

TEST(Timeouts, APlainRequestTakesNoTimeAtAll) {
  Story story;
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).body, "ok");
  ASSERT_EQ(story.upstream().requests().size(), 1U);
  EXPECT_EQ(story.upstream().requests()[0].message.header("x-envoy-expected-rq-timeout-ms"), "15000");
}

TEST(Timeouts, ARequestThatIsNotAnsweredInTimeGets504) {
  Story story({.route = "timeout: 2s"});
  story.upstream().next(silence());
  story.client_sends("GET /");
  story.advance(1900ms);
  story.client_gets_nothing();
  story.advance(100ms);
  EXPECT_EQ(story.client_gets(504).header("x-remora-reason"), "request_timeout");
  EXPECT_EQ(story.upstream().open_connections(), 0U) << "what is still unanswered is not reused";
  story.client_sends("GET /");
  story.client_gets(200);
}

TEST(Timeouts, ZeroMeansForEver) {
  Story story({.route = "timeout: 0s", .manager = "stream_idle_timeout: 0s"});
  story.upstream().next(answer(200, "late").in(std::chrono::hours(5)));
  story.client_sends("GET /");
  story.advance(std::chrono::hours(4));
  story.client_gets_nothing();
  story.advance(std::chrono::hours(1));
  EXPECT_EQ(story.client_gets(200).body, "late");
}

TEST(Timeouts, TheRequestTimeoutBeginsWhenTheBodyIsThere) {
  Story story({.route = "timeout: 1s"});
  story.upstream().always(silence());
  story.client_sends_bytes("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nab");
  story.advance(5s);
  story.client_gets_nothing();
  story.client_sends_bytes("cd");
  story.advance(900ms);
  story.client_gets_nothing();
  story.advance(100ms);
  story.client_gets(504);
}

TEST(Timeouts, TheTimeoutHoldsOverAllRetries) {
  Story story({.route = "timeout: 1s, retry_policy: {retry_on: 5xx, num_retries: 100, retry_back_off: {base_interval: "
                        "0.1s, max_interval: 0.1s}}"});
  story.upstream().always(answer(503, "no"));
  story.client_sends("GET /");
  story.advance(900ms);
  story.client_gets_nothing();
  story.advance(200ms);
  story.client_gets(504);
  EXPECT_GT(story.requests_upstream(), 5U);
}

TEST(Timeouts, AConnectionThatIsNotEstablishedInTimeGets503) {
  Story story({.cluster = "connect_timeout: 0.5s"});
  story.network().set_reach(story.upstream().address(), sim::Reach::blackhole);
  story.client_sends("GET /");
  story.advance(450ms);
  story.client_gets_nothing();
  story.advance(50ms);
  EXPECT_EQ(story.client_gets(503).header("x-remora-reason"), "connect_timeout");
}

TEST(Timeouts, ARefusedConnectionGets503AtOnce) {
  Story story;
  story.upstream().stop_listening();
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(503).header("x-remora-reason"), "connect_failed");
}

TEST(Timeouts, AHostWithoutARouteGets503AtOnce) {
  Story story;
  story.network().set_reach(story.upstream().address(), sim::Reach::no_route);
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(503).header("x-remora-reason"), "connect_failed");
}

TEST(Timeouts, AStreamWithoutProgressEnds) {
  Story story({.route = "timeout: 0s, idle_timeout: 3s"});
  story.upstream().next(say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab"));
  story.client_sends("GET /");
  EXPECT_TRUE(story.client().received.ends_with("ab")) << story.client().received;
  story.client().received.clear();
  story.advance(2900ms);
  story.client_is_open();
  story.advance(150ms);
  story.client_is_closed();
}

TEST(Timeouts, ProgressKeepsAStreamAlive) {
  Story story({.route = "timeout: 0s, idle_timeout: 3s"});
  story.upstream().next(say("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"));
  story.client_sends("GET /");
  for (int i = 0; i < 6; ++i) {
    story.advance(2500ms);
    story.upstream().connection(0).send("x");
  }
  EXPECT_EQ(story.client_gets(200).body, "xxxxxx");
}

TEST(Timeouts, IdleConnectionsOfClientsClose) {
  Story story({.manager = "common_http_protocol_options: {idle_timeout: 10s}"});
  story.client_sends("GET /");
  story.client_gets(200);
  story.advance(9s);
  story.client_is_open();
  story.advance(1s);
  story.client_is_closed();
}

TEST(Timeouts, IdleConnectionsToUpstreamsClose) {
  Story story({.cluster = "typed_extension_protocol_options: "
                          "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type': "
                          "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
                          "common_http_protocol_options: {idle_timeout: 10s}, explicit_http_config: "
                          "{http_protocol_options: {}}}}"});
  story.client_sends("GET /");
  story.client_gets(200);
  story.advance(9s);
  EXPECT_EQ(story.upstream().open_connections(), 1U);
  story.advance(1100ms);
  EXPECT_EQ(story.upstream().open_connections(), 0U);
}

TEST(Timeouts, AHeadThatDoesNotEndGets408) {
  Story story({.manager = "request_headers_timeout: 2s"});
  story.client_sends_bytes("GET / HTTP/1.1\r\nhost: a\r\n");
  story.advance(1900ms);
  story.client_gets_nothing();
  story.advance(100ms);
  story.client_gets(408);
  story.client_is_closed();
  EXPECT_EQ(story.requests_upstream(), 0U);
}

TEST(Timeouts, ABodyThatDoesNotEndGets408) {
  Story story({.manager = "request_timeout: 2s"});
  story.client_sends_bytes("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
  story.advance(1900ms);
  story.client_gets_nothing();
  story.advance(200ms);
  story.client_gets(408);
  story.client_is_closed();
  EXPECT_EQ(story.requests_upstream(), 0U) << "the upstream never sees a whole request";
}

TEST(Timeouts, AnAttemptThatIsNotAnsweredInTimeIsTriedAgain) {
  Story story({.route = "timeout: 10s, retry_policy: {retry_on: 5xx, num_retries: 2, per_try_timeout: 0.3s, "
                        "retry_back_off: {base_interval: 0.001s}}"});
  story.upstream().next(silence()).next(silence());
  story.client_sends("GET /");
  story.advance(500ms);
  story.client_gets_nothing();
  story.advance(200ms);
  story.client_gets(200);
  ASSERT_EQ(story.requests_upstream(), 3U);
  EXPECT_EQ(story.upstream().requests()[0].message.header("x-envoy-expected-rq-timeout-ms"), "300");
  EXPECT_EQ(story.upstream().connections(), 3U) << "an attempt that was given up takes its connection with it";
}

TEST(Timeouts, TheLastPerTryTimeoutGets504) {
  Story story({.route = "timeout: 10s, retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.3s, "
                        "retry_back_off: {base_interval: 0.001s}}"});
  story.upstream().always(silence());
  story.client_sends("GET /");
  story.advance(650ms);
  EXPECT_EQ(story.client_gets(504).header("x-remora-reason"), "per_try_timeout");
}

TEST(Timeouts, AResponseThatBeganIsCutAtTheTimeout) {
  Story story({.route = "timeout: 1s"});
  story.upstream().next(say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"));
  story.client_sends("GET /");
  story.advance(1s);
  story.client_is_closed();
  EXPECT_TRUE(story.client().received.ends_with("abc"));
}

TEST(Timeouts, AClientThatLeavesEndsItsRequestUpstream) {
  Story story;
  story.upstream().next(silence());
  story.client_sends("GET /");
  story.client_leaves();
  EXPECT_EQ(story.upstream().open_connections(), 0U);
}

TEST(Timeouts, AnInsiderMayAskForAnEmpty204InsteadOf504) {
  const std::string headers = "x-envoy-upstream-rq-timeout-alt-response: 1\r\naccept: application/json\r\n";
  for (const bool insider : {true, false}) {
    Story story({.route = "timeout: 1s",
                 .manager = insider ? "use_remote_address: true, internal_address_config: {cidr_ranges: "
                                      "[{address_prefix: 10.0.0.0, prefix_len: 8}]}"
                                    : ""});
    story.upstream().next(silence());
    story.client_sends("GET /", headers);
    story.advance(1s);
    const auto response = story.client_gets(insider ? 204 : 504);
    EXPECT_EQ(response.has("content-length"), !insider);
    EXPECT_EQ(response.header("x-remora-reason"), "request_timeout");
    EXPECT_EQ(story.upstream().requests().at(0).message.header("x-envoy-upstream-rq-timeout-alt-response"), "");
  }
}

}  // namespace
}  // namespace remora::scenarios
