// What happens to the heads that pass: fields that a proxy adds to, and those that it makes.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

std::size_t lines_of(const sim::WireMessage& message, std::string_view name) {
  std::size_t count = 0;
  for (const auto& header : message.headers) {
    count += header.first == name ? 1 : 0;
  }
  return count;
}

TEST(Heads, NoLineOfViaIsLostWhenOursIsAppended) {
  Story story({.manager = "via: '1.1 remora'"});
  story.upstream().next(answer(200, "ok", "via: 1.1 a\r\nvia: 1.1 b\r\n"));
  story.client_sends("GET /", "via: 1.0 x\r\nother: 1\r\nvia: 1.1 y\r\n");
  const auto response = story.client_gets(200);
  EXPECT_EQ(response.header("via"), "1.1 a,1.1 b, 1.1 remora");
  EXPECT_EQ(lines_of(response, "via"), 1U);
  const auto& request = story.upstream().requests().at(0).message;
  EXPECT_EQ(request.header("via"), "1.0 x,1.1 y, 1.1 remora");
  EXPECT_EQ(lines_of(request, "via"), 1U);
}

TEST(Heads, NoLineOfXForwardedHostIsLostWhenOursIsAppended) {
  Story story({.route = "host_rewrite_literal: inside, append_x_forwarded_host: true"});
  story.client_sends("GET /", "x-forwarded-host: one\r\nx-forwarded-host: two\r\n");
  story.client_gets(200);
  const auto& request = story.upstream().requests().at(0).message;
  EXPECT_EQ(request.header("host"), "inside");
  EXPECT_EQ(request.header("x-forwarded-host"), "one,two,shop");
  EXPECT_EQ(lines_of(request, "x-forwarded-host"), 1U);
}

TEST(Heads, TheAttemptCountIsKnownToTheFirstAttemptsHeaders) {
  Story story({.route = "retry_policy: {retry_on: 5xx, num_retries: 1}",
               .virtual_host =
                   "include_request_attempt_count: true, include_attempt_count_in_response: true, "
                   "request_headers_to_add: [{header: {key: x-try, value: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%'}}], "
                   "response_headers_to_add: [{header: {key: x-tries, value: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%'}}]"});
  story.upstream().next(answer(503, "no"));
  story.client_sends("GET /");
  const auto response = story.client_gets(200, 0, 100ms);
  EXPECT_EQ(response.header("x-tries"), "2");
  EXPECT_EQ(response.header("x-envoy-attempt-count"), "2");
  ASSERT_EQ(story.requests_upstream(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& request = story.upstream().requests()[i].message;
    EXPECT_EQ(request.header("x-try"), "1") << "made once, as in Envoy";
    EXPECT_EQ(request.header("x-envoy-attempt-count"), std::to_string(i + 1));
  }
}

constexpr const char* kWebsocket = "connection: upgrade\r\nupgrade: websocket\r\n";

TEST(Upgrades, ARouteDecidesBeforeItsListener) {
  const std::string listener = "upgrade_configs: [{upgrade_type: websocket}]";
  const std::string allow = "upgrade_configs: [{upgrade_type: WebSocket}]";
  const std::string deny = "upgrade_configs: [{upgrade_type: websocket, enabled: false}]";
  struct Case {
    World world;
    bool tunnel;
  };
  const Case cases[] = {{{}, false},
                        {{.manager = listener}, true},
                        {{.route = allow}, true},
                        {{.route = deny, .manager = listener}, false},
                        {{.route = allow, .manager = deny}, true},
                        {{.route = "upgrade_configs: [{upgrade_type: other}]"}, false}};
  for (const auto& [world, tunnel] : cases) {
    SCOPED_TRACE(world.route + " / " + world.manager);
    Story story(world);
    story.upstream().next(say("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"));
    story.client_sends("GET /", kWebsocket);
    if (tunnel) {
      EXPECT_EQ(story.client(0).received.substr(0, 12), "HTTP/1.1 101");
    } else {
      EXPECT_EQ(story.client_gets(403).header("x-remora-reason"), "upgrade_not_configured");
      EXPECT_EQ(story.requests_upstream(), 0U);
    }
  }
}

TEST(Informational, IsPassedOnWhereTheListenerSaysSo) {
  Story story({.manager = "proxy_100_continue: true"});
  story.upstream().next(
      say("HTTP/1.1 103 Early Hints\r\nlink: </s.css>\r\n\r\nHTTP/1.1 150 Odd\r\n\r\n"
          "HTTP/1.1 103 Early Hints\r\nlink: </t.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(103).header("link"), "</s.css>");
  EXPECT_EQ(story.client_gets(103).header("link"), "</t.css>");
  EXPECT_EQ(story.client_gets(200).body, "ok");
}

TEST(Informational, IsDroppedOtherwise) {
  Story story;
  story.upstream().next(
      say("HTTP/1.1 103 Early Hints\r\nlink: </s.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).body, "ok");
}

TEST(Informational, ExpectIsTheUpstreamsToAnswerWhereTheListenerSaysSo) {
  for (const bool pass : {false, true}) {
    Story story({.manager = pass ? "proxy_100_continue: true" : ""});
    story.client_sends_bytes("PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    if (pass) {
      story.client_gets_nothing();
    } else {
      story.client_gets(100);
    }
    story.client_sends_bytes("hi");
    story.client_gets(200);
    EXPECT_EQ(story.upstream().requests().at(0).message.header("expect"), pass ? "100-continue" : "");
  }
}

}  // namespace
}  // namespace remora::scenarios
