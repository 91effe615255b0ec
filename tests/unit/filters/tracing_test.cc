#include "proxy/filters/tracing.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/filters/request_id.h"
#include "tests/unit/filters/fixture.h"

namespace remora::proxy {
namespace {

using http::HeaderId;

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kSpan = "b7ad6b7169203331";
constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceParentParse, TakesWhatIsWellFormed) {
  const auto parsed = parse_traceparent(kParent);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->trace_id, kTrace);
  EXPECT_EQ(parsed->parent_id, kSpan);
  EXPECT_EQ(parsed->flags, 1);
  EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  EXPECT_TRUE(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  EXPECT_EQ(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe")->flags, 0);
}

TEST(TraceParentParse, RefusesWhatIsNot) {
  for (const char* bad : {
           "",
           "00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-x1",
           " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
       }) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

TEST(B3Parse, KnowsAllForms) {
  EXPECT_EQ(parse_b3("0")->sampled, '0');
  EXPECT_EQ(parse_b3("d")->sampled, 'd');
  const auto full = parse_b3("0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1-05e3ac9a4f6e3b90");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->trace_id, kTrace);
  EXPECT_EQ(full->span_id, kSpan);
  EXPECT_EQ(full->sampled, '1');
  EXPECT_EQ(full->parent_id, "05e3ac9a4f6e3b90");
  EXPECT_EQ(parse_b3("8448eb211c80319c-b7ad6b7169203331")->sampled, 0);
  for (const char* bad :
       {"", "2", "-", "x-y", "8448eb211c80319c", "8448eb211c80319c-", "8448eb211c80319c-b7ad6b71692033",
        "8448eb211c80319c-b7ad6b7169203331-", "8448eb211c80319c-b7ad6b7169203331-2",
        "8448eb211c80319c-b7ad6b7169203331-1-", "8448eb211c80319c-b7ad6b7169203331-1-05e3",
        "0000000000000000-b7ad6b7169203331-1", "8448eb211c80319c-b7ad6b7169203331-1-05e3ac9a4f6e3b90-",
        "8448eb211c80319c-b7ad6b7169203331x1"}) {
    EXPECT_FALSE(parse_b3(bad)) << bad;
  }
}

class Tracing : public testing::Test {
 protected:
  void run(const model::Tracing* tracing) {
    exchange_.info.trace_id = {};
    continue_or_begin_trace(exchange_.request, tracing, random_, exchange_.info);
  }
  std::string_view value(HeaderId id) { return exchange_.request.headers.value(id); }
  void add(HeaderId id, std::string_view value) { exchange_.request.headers.add(id, value); }

  TestExchange exchange_;
  Random random_{1};
  model::Tracing on_;
};

TEST_F(Tracing, ContinuesTraceparent) {
  add(HeaderId::traceparent, kParent);
  add(HeaderId::tracestate, "a=b");
  run(&on_);
  const auto next = parse_traceparent(value(HeaderId::traceparent));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->trace_id, kTrace);
  EXPECT_NE(next->parent_id, kSpan);
  EXPECT_EQ(next->flags, 1);
  EXPECT_EQ(value(HeaderId::tracestate), "a=b");
  EXPECT_EQ(exchange_.info.trace_id, kTrace);
  EXPECT_EQ(value(HeaderId::b3), "");
}

TEST_F(Tracing, SpeaksVersionZeroToTheUpstream) {
  add(HeaderId::traceparent, "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what");
  run(&on_);
  const std::string_view next = value(HeaderId::traceparent);
  EXPECT_EQ(next.substr(0, 36), "00-" + std::string(kTrace) + "-");
  EXPECT_EQ(next.substr(52), "-00");
}

TEST_F(Tracing, RestartsWhatIsMalformed) {
  add(HeaderId::traceparent, "00-xyz");
  add(HeaderId::tracestate, "a=b");
  run(&on_);
  const auto next = parse_traceparent(value(HeaderId::traceparent));
  ASSERT_TRUE(next);
  EXPECT_NE(next->trace_id, kTrace);
  EXPECT_EQ(next->flags, 1);
  EXPECT_EQ(exchange_.request.headers.find(HeaderId::tracestate), nullptr);
  EXPECT_EQ(exchange_.info.trace_id, next->trace_id);
}

TEST_F(Tracing, RestartsWhatIsThereTwice) {
  add(HeaderId::traceparent, kParent);
  add(HeaderId::traceparent, kParent);
  run(&on_);
  EXPECT_NE(exchange_.info.trace_id, kTrace);
  std::size_t count = 0;
  for (const http::Header& header : exchange_.request.headers.all()) {
    count += header.id == HeaderId::traceparent ? 1 : 0;
  }
  EXPECT_EQ(count, 1u);
}

TEST_F(Tracing, BeginsWithSampling) {
  on_.random_sampling = 0;
  run(&on_);
  EXPECT_EQ(value(HeaderId::traceparent).substr(52), "-00");
  int sampled = 0;
  on_.random_sampling = 25;
  for (int i = 0; i < 4000; ++i) {
    exchange_.request.headers.remove(HeaderId::traceparent);
    run(&on_);
    sampled += value(HeaderId::traceparent).ends_with("01") ? 1 : 0;
  }
  EXPECT_NEAR(sampled, 1000, 150);
}

TEST_F(Tracing, ClientsThatNameATraceAreSampled) {
  on_.random_sampling = 0;
  add(HeaderId::x_client_trace_id, "abc");
  run(&on_);
  EXPECT_TRUE(value(HeaderId::traceparent).ends_with("-01"));
}

TEST_F(Tracing, ContinuesB3) {
  add(HeaderId::b3, "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1-05e3ac9a4f6e3b90");
  run(&on_);
  const std::string_view next = value(HeaderId::b3);
  const auto parsed = parse_b3(next);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->trace_id, kTrace);
  EXPECT_NE(parsed->span_id, kSpan);
  EXPECT_EQ(parsed->parent_id, kSpan);
  EXPECT_EQ(parsed->sampled, '1');
  EXPECT_EQ(exchange_.info.trace_id, kTrace);
  EXPECT_EQ(exchange_.request.headers.find(HeaderId::traceparent), nullptr);
}

TEST_F(Tracing, LeavesAnOpenB3DecisionOpen) {
  add(HeaderId::b3, "8448eb211c80319c-b7ad6b7169203331");
  run(&on_);
  EXPECT_EQ(parse_b3(value(HeaderId::b3))->sampled, 0);
}

TEST_F(Tracing, TakesUpAB3DecisionWithoutIds) {
  add(HeaderId::b3, "0");
  run(&on_);
  EXPECT_TRUE(value(HeaderId::traceparent).ends_with("-00"));
  EXPECT_EQ(exchange_.request.headers.find(HeaderId::b3), nullptr);
}

TEST_F(Tracing, ContinuesB3Multi) {
  add(HeaderId::x_b3_traceid, kTrace);
  add(HeaderId::x_b3_spanid, kSpan);
  add(HeaderId::x_b3_sampled, "0");
  run(&on_);
  EXPECT_EQ(value(HeaderId::x_b3_traceid), kTrace);
  EXPECT_EQ(value(HeaderId::x_b3_parentspanid), kSpan);
  EXPECT_NE(value(HeaderId::x_b3_spanid), kSpan);
  EXPECT_EQ(value(HeaderId::x_b3_sampled), "0");
  EXPECT_EQ(exchange_.request.headers.find(HeaderId::traceparent), nullptr);
}

TEST_F(Tracing, GivesOneSpanToAllFormats) {
  add(HeaderId::traceparent, kParent);
  add(HeaderId::x_b3_traceid, kTrace);
  add(HeaderId::x_b3_spanid, kSpan);
  run(&on_);
  EXPECT_EQ(parse_traceparent(value(HeaderId::traceparent))->parent_id, value(HeaderId::x_b3_spanid));
}

TEST_F(Tracing, BeginsInB3WhenConfigured) {
  on_.begin = model::Tracing::Begin::b3;
  run(&on_);
  EXPECT_TRUE(parse_b3(value(HeaderId::b3)));
  exchange_.request.headers.remove(HeaderId::b3);
  on_.begin = model::Tracing::Begin::b3_multi;
  run(&on_);
  EXPECT_EQ(value(HeaderId::x_b3_traceid).size(), 32u);
  EXPECT_EQ(value(HeaderId::x_b3_sampled), "1");
  EXPECT_EQ(exchange_.request.headers.find(HeaderId::traceparent), nullptr);
}

TEST_F(Tracing, PassesThroughWhenNotConfigured) {
  add(HeaderId::traceparent, kParent);
  add(HeaderId::b3, "nonsense");
  run(nullptr);
  EXPECT_EQ(value(HeaderId::traceparent), kParent);
  EXPECT_EQ(value(HeaderId::b3), "nonsense");
  EXPECT_EQ(exchange_.info.trace_id, kTrace);
}

class RequestId : public testing::Test {
 protected:
  std::string run(bool edge) {
    assign_request_id(exchange_.request, http_, edge, random_, exchange_.info);
    return std::string(exchange_.request.headers.value(HeaderId::x_request_id));
  }
  TestExchange exchange_;
  Random random_{7};
  model::HttpConnectionManager http_;
};

TEST_F(RequestId, IsAVersion4Uuid) {
  for (int i = 0; i < 100; ++i) {
    exchange_.request.headers.remove(HeaderId::x_request_id);
    const std::string id = run(false);
    ASSERT_EQ(id.size(), 36u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef-"), std::string::npos);
    EXPECT_EQ(id[8], '-');
    EXPECT_EQ(id[13], '-');
    EXPECT_EQ(id[14], '4');
    EXPECT_EQ(id[18], '-');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    EXPECT_EQ(id[23], '-');
    EXPECT_EQ(exchange_.info.request_id, id);
  }
}

TEST_F(RequestId, IsKeptFromInside) {
  exchange_.request.headers.add(HeaderId::x_request_id, "mine");
  EXPECT_EQ(run(false), "mine");
  EXPECT_EQ(exchange_.info.request_id, "mine");
}

TEST_F(RequestId, IsReplacedFromOutsideUnlessPreserved) {
  exchange_.request.headers.add(HeaderId::x_request_id, "mine");
  http_.preserve_external_request_id = true;
  EXPECT_EQ(run(true), "mine");
  http_.preserve_external_request_id = false;
  EXPECT_NE(run(true), "mine");
}

TEST_F(RequestId, IsLeftAloneWhenOff) {
  http_.generate_request_id = false;
  EXPECT_EQ(run(true), "");
  exchange_.request.headers.add(HeaderId::x_request_id, "mine");
  EXPECT_EQ(run(true), "mine");
  EXPECT_EQ(exchange_.info.request_id, "mine");
}

TEST_F(RequestId, GoesIntoResponsesWhenAsked) {
  set_request_id_in_response(exchange_.response, http_, exchange_.info);
  EXPECT_EQ(exchange_.response.headers.find(HeaderId::x_request_id), nullptr);
  http_.always_set_request_id_in_response = true;
  set_request_id_in_response(exchange_.response, http_, exchange_.info);
  EXPECT_EQ(exchange_.response.headers.value(HeaderId::x_request_id), "my-id");
}

}  // namespace
}  // namespace remora::proxy
