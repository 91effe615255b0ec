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

}  // namespace
}  // namespace remora::scenarios
