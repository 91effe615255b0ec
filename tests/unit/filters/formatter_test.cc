#include "proxy/filters/formatter.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/filters/start_time.h"
#include "tests/unit/filters/fixture.h"

namespace remora::proxy {
namespace {

using namespace std::chrono_literals;

class Formatter : public testing::Test {
 protected:
  std::string text(std::string_view format, Missing missing = Missing::dash) {
    std::string out;
    append_format(out, format_of(format), exchange_.info, missing);
    return out;
  }
  std::string header(std::string_view format) {
    const model::Format parsed = format_of(format);
    return std::string(format_header(parsed, exchange_.info, exchange_.arena));
  }
  std::string json(std::string_view format, bool omit_null = false) {
    std::string out;
    return append_json_format(out, format_of(format), exchange_.info, omit_null) ? out : "(omitted)";
  }
  TestExchange exchange_;
};

// What each operator printed was compared with Envoy 1.40.
TEST_F(Formatter, PrintsWhatEnvoyPrints) {
  const std::pair<const char*, const char*> cases[] = {
      {"%REQ(X-A)%", "aval"},
      {"%REQ(X-A):2%", "av"},
      {"%REQ(X-NOPE)%", "-"},
      {"%REQ(X-NOPE):0%", "-"},
      {"%REQ(X-EMPTY)%", ""},
      {"%REQ(X-EMPTY?X-A)%", ""},
      {"%REQ(X-NOPE?X-A)%", "aval"},
      {"%REQ(X-DUP)%", "1"},
      {"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:AUTHORITY)% %REQ(HOST)% %REQ(:SCHEME)%",
       "GET /a?b=1 shop:80 shop:80 http"},
      {"%RESP(:STATUS)% %RESP(CONTENT-TYPE)% %RESP(X-NO)%", "200 text/plain -"},
      {"%TRAILER(X)%", "-"},
      {"%PROTOCOL%", "HTTP/1.1"},
      {"%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", "200 via_upstream - -"},
      {"%BYTES_RECEIVED% %BYTES_SENT%", "3 5"},
      {"%DURATION% %REQUEST_DURATION% %REQUEST_TX_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", "16 1 2 12 4"},
      {"%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS%", "10.1.0.1:80 api 10.0.0.1:40000"},
      {"%UPSTREAM_TRANSPORT_FAILURE_REASON% %UPSTREAM_REQUEST_ATTEMPT_COUNT%", "- 1"},
      {"%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%",
       "10.0.0.9:5555 10.0.0.9 5555"},
      {"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% "
       "%DOWNSTREAM_LOCAL_PORT%",
       "10.0.0.9:5555 10.0.0.1:8080 10.0.0.1 8080"},
      {"%CONNECTION_ID% %ROUTE_NAME% %VIRTUAL_CLUSTER_NAME% %REQUESTED_SERVER_NAME%", "7 main - -"},
      {"%TRACE_ID% %STREAM_ID%", "0af7651916cd43dd8448eb211c80319c my-id"},
      {"%REMORA_OWN_DURATION% %REMORA_REASON%", "42 -"},
      {"%ENVIRONMENT(REMORA_TEST_UNSET)%", "-"},
      {"100%% sure", "100% sure"},
      {"", ""},
  };
  for (const auto& [format, expected] : cases) {
    EXPECT_EQ(text(format), expected) << format;
  }
}

TEST_F(Formatter, PrintsNothingWhereNothingIsKnown) {
  const RequestInfo empty;
  std::string out;
  append_format(out,
                format_of("%REQ(:METHOD)%|%RESP(X)%|%RESPONSE_CODE%|%UPSTREAM_HOST%|%ROUTE_NAME%|%CONNECTION_ID%|"
                          "%DOWNSTREAM_REMOTE_ADDRESS%|%REQUEST_DURATION%|%TRACE_ID%|%UPSTREAM_CLUSTER%"),
                empty, Missing::dash);
  EXPECT_EQ(out, "-|-|0|-|-|-|-|-|-|-");
}

TEST_F(Formatter, LeavesMissingOutWhenAsked) {
  EXPECT_EQ(text("a%REQ(X-NOPE)%b", Missing::nothing), "ab");
  EXPECT_EQ(text("%RESPONSE_FLAGS%", Missing::nothing), "-");
}

TEST_F(Formatter, NamesResponseFlags) {
  exchange_.info.flags = flag::kUpstreamConnectionFailure | flag::kUpstreamRetryLimitExceeded;
  EXPECT_EQ(text("%RESPONSE_FLAGS%"), "UF,URX");
  EXPECT_EQ(text("%RESPONSE_FLAGS_LONG%"), "UpstreamConnectionFailure,UpstreamRetryLimitExceeded");
  exchange_.info.flags = 0xffff;
  EXPECT_EQ(text("%RESPONSE_FLAGS_LONG%"), flags_text(0xffff, true));
}

TEST_F(Formatter, FillsBlanksInDetails) {
  exchange_.info.response_code_details = "a b c";
  exchange_.info.upstream_failure = "connection refused";
  EXPECT_EQ(text("%RESPONSE_CODE_DETAILS%"), "a_b_c");
  EXPECT_EQ(text("%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%"), "a b c");
  EXPECT_EQ(text("%UPSTREAM_TRANSPORT_FAILURE_REASON%"), "connection_refused");
}

TEST_F(Formatter, ForwardedClientsHaveNoPort) {
  exchange_.info.downstream_remote_ip = "1.2.3.4";
  EXPECT_EQ(text("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
            "1.2.3.4:0 0 1.2.3.4");
  EXPECT_EQ(text("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"), "10.0.0.9:5555");
  exchange_.info.downstream_remote_ip = "2001:db8::1";
  EXPECT_EQ(text("%DOWNSTREAM_REMOTE_ADDRESS%"), "[2001:db8::1]:0");
  exchange_.info.downstream_remote_ip = "10.0.0.9";
  EXPECT_EQ(text("%DOWNSTREAM_REMOTE_ADDRESS%"), "10.0.0.9:5555");
}

TEST_F(Formatter, UsesTheMetricsNameOfACluster) {
  exchange_.cluster.alt_stat_name = "alt";
  EXPECT_EQ(text("%UPSTREAM_CLUSTER%"), "alt");
}

TEST_F(Formatter, PrintsTimesAsEnvoyDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"%START_TIME%", "2026-11-24T21:18:00.659Z"},
      {"%START_TIME(%f)%", "659028001"},
      {"%START_TIME(%3f)%", "659"},
      {"%START_TIME(%s)%", "1795555080"},
      {"%START_TIME(%3s)%", "1795555080"},
      {"%START_TIME(%Y/%m/%dT%H:%M:%S.%3f %z %s.%6f %E4S %1f%%)%",
       "2026/11/24T21:18:00.659 +0000 1795555080.659028 00.6590 6%"},
      {"%START_TIME(abc %Q x)%", "abc %Q x"},
      {"%START_TIME(%A %b %Z)%", "Tuesday Nov UTC"},
  };
  for (const auto& [format, expected] : cases) {
    EXPECT_EQ(text(format), expected) << format;
  }
  exchange_.info.start_wall = WallTime(1795555080s + 659028us);
  EXPECT_EQ(text("%START_TIME(%E*S)%"), "00.659028");
}

TEST(FormatTime, KeepsWithinItsRoom) {
  char room[10];
  EXPECT_EQ(format_time(WallTime(1s), "", room), "1970-01-01");
  EXPECT_EQ(format_time(WallTime(1s), "%Y-%m-%dT%H:%M:%S", room), "1970-01-01");
  EXPECT_EQ(format_time(WallTime(-1ns), "%s%3f", room), "-1999");
  EXPECT_EQ(format_time(WallTime(0s), "%", room), "%");
  EXPECT_EQ(format_time(WallTime(0s), "%E", room), "%E");
  EXPECT_EQ(format_time(WallTime(0s), "%9", room), "%9");
}

TEST_F(Formatter, MakesHeaders) {
  EXPECT_EQ(header("literal"), "literal");
  EXPECT_EQ(header("%REQ(X-A)%"), "aval");
  EXPECT_EQ(header("%REQ(X-NOPE)%"), "");
  EXPECT_EQ(header("%REQ(x-a)%|%REQ(X-NOPE)%|%RESPONSE_FLAGS%|%PROTOCOL%"), "aval||-|HTTP/1.1");
  EXPECT_EQ(header("%RESPONSE_CODE%"), "200");
  const std::string large(5000, 'x');
  exchange_.request.headers.add("x-large", large);
  EXPECT_EQ(header("<%REQ(x-large)%>"), "<" + large + ">");
}

TEST_F(Formatter, MakesTypedJson) {
  const std::pair<const char*, const char*> cases[] = {
      {"%RESPONSE_CODE%", "200"},
      {"%RESPONSE_CODE% x", "\"200 x\""},
      {"%RESP(:STATUS)%", "\"200\""},
      {"%DURATION%", "16"},
      {"%DOWNSTREAM_LOCAL_PORT%", "8080"},
      {"%REQ(X-NOPE)%", "null"},
      {"%REQ(X-EMPTY)%", "\"\""},
      {"a%REQ(X-NOPE)%b", "\"a-b\""},
      {"%RESPONSE_FLAGS%", "\"-\""},
      {"%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "1"},
      {"plain", "\"plain\""},
      {"", "\"\""},
  };
  for (const auto& [format, expected] : cases) {
    EXPECT_EQ(json(format), expected) << format;
  }
  EXPECT_EQ(json("%REQ(X-NOPE)%", true), "(omitted)");
  EXPECT_EQ(json("x%REQ(X-NOPE)%y", true), "\"xy\"");
  EXPECT_EQ(json("%REQ(X-NOPE)%%REQ(X-NOPE)%", true), "\"\"");
}

TEST(Json, EscapesWhatItMust) {
  const auto escaped = [](std::string_view text) {
    std::string out;
    append_json_escaped(out, text);
    return out;
  };
  EXPECT_EQ(escaped("a\"b\\c/\xc3\xa9"), "a\\\"b\\\\c/\xc3\xa9");
  EXPECT_EQ(escaped(std::string_view("\x01\n\r\t\b\f\x7f\0", 8)), "\\u0001\\n\\r\\t\\b\\f\\u007f\\u0000");
  EXPECT_EQ(escaped("\xe2\x82\xac\xf0\x9f\x98\x80"), "\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(escaped("\xff\xc3(\xed\xa0\x80\xc0\xaf"), "\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd");
  EXPECT_EQ(escaped("\xe2\x82"), "\\ufffd\\ufffd");
}

}  // namespace
}  // namespace remora::proxy
