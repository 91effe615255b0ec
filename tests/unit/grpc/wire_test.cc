#include "core/grpc/wire.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/grpc/deframer.h"

namespace remora::grpc {
namespace {

TEST(GrpcWire, StatusMessagesSurviveHeaders) {
  EXPECT_EQ(percent_encode("plain text"), "plain text");
  EXPECT_EQ(percent_encode("100% ä\n"), "100%25 %C3%A4%0A");
  EXPECT_EQ(percent_decode("100%25 %C3%a4%0A"), "100% ä\n");
  EXPECT_EQ(percent_decode("bad %zz, cut %4"), "bad %zz, cut %4");
  EXPECT_EQ(percent_decode("%"), "%");
}

TEST(GrpcWire, TimeoutsKeepAtMostEightDigits) {
  EXPECT_EQ(format_timeout(Nanoseconds(5)), "5n");
  EXPECT_EQ(format_timeout(Seconds(1)), "1000000u");
  EXPECT_EQ(format_timeout(Seconds(1'000)), "1000000m");
  EXPECT_EQ(format_timeout(Nanoseconds(-1)), "0n");
  EXPECT_EQ(parse_timeout("1000000u"), Seconds(1));
  EXPECT_EQ(parse_timeout("2M"), std::chrono::minutes(2));
  EXPECT_EQ(parse_timeout("99999999H"), Nanoseconds::max());
  for (const auto* bad : {"", "S", "1", "123456789S", "1x", "-1S", "1.5S", " 1S"}) {
    EXPECT_FALSE(parse_timeout(bad)) << bad;
  }
}

TEST(GrpcWire, BinaryMetadata) {
  const std::string bytes("\0\xff\x10 hello", 9);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    EXPECT_EQ(base64_decode(base64_encode(bytes.substr(0, size))), bytes.substr(0, size));
  }
  EXPECT_EQ(base64_decode("aGk="), "hi");
  EXPECT_FALSE(base64_decode("a"));
  EXPECT_FALSE(base64_decode("a_b-"));
}

TEST(GrpcWire, CodesAndContentTypes) {
  EXPECT_EQ(parse_code("14"), Code::unavailable);
  EXPECT_EQ(parse_code("17"), Code::unknown);
  EXPECT_EQ(parse_code(""), Code::unknown);
  EXPECT_EQ(code_name(Code::unavailable), "UNAVAILABLE");
  EXPECT_EQ(code_of_http_status(503), Code::unavailable);
  EXPECT_TRUE(is_grpc_content_type("application/grpc+proto"));
  EXPECT_FALSE(is_grpc_content_type("application/grpc-web"));
}

std::string framed(std::string_view message) {
  const auto prefix = message_prefix(message.size());
  return std::string(prefix.data(), prefix.size()) + std::string(message);
}

TEST(GrpcDeframer, TakesMessagesHoweverTheyAreCut) {
  const std::string wire = framed("one") + framed("") + framed(std::string(300, 'x')) + framed("");
  for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
    Deframer deframer(1000);
    std::vector<std::string> got;
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      const auto problem = deframer.feed(std::string_view(wire).substr(at, piece), [&](std::string_view message) {
        got.emplace_back(message);
        return true;
      });
      ASSERT_EQ(problem, Deframer::Problem::none);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"one", "", std::string(300, 'x'), ""})) << "in pieces of " << piece;
    EXPECT_TRUE(deframer.at_boundary());
  }
}

TEST(GrpcDeframer, RefusesWhatItCannotRead) {
  const auto feed = [](const std::string& bytes) {
    Deframer deframer(10);
    return deframer.feed(bytes, [](std::string_view) { return true; });
  };
  EXPECT_EQ(feed(std::string("\1\0\0\0\0", 5)), Deframer::Problem::compressed);
  EXPECT_EQ(feed(std::string("\7\0\0\0\0", 5)), Deframer::Problem::bad_flag);
  EXPECT_EQ(feed(std::string("\0\0\0\0\x0b", 5)), Deframer::Problem::too_long);
  EXPECT_EQ(feed(framed("0123456789")), Deframer::Problem::none);
}

}  // namespace
}  // namespace remora::grpc
