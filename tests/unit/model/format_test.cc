// Envoy's command strings, compiled; and what is said of those that are none.
#include "proxy/model/format.h"

#include <gtest/gtest.h>

namespace remora::model {
namespace {

std::string problem(std::string_view text) {
  const auto format = Format::parse(text);
  return format ? std::string("none") : format.error().message;
}

TEST(Format, Literals) {
  EXPECT_TRUE(Format::parse("")->is_literal());
  const auto format = Format::parse("100%% sure");
  ASSERT_TRUE(format);
  EXPECT_TRUE(format->is_literal());
  ASSERT_EQ(format->parts().size(), 1U);
  EXPECT_EQ(format->parts()[0].text, "100% sure");
  EXPECT_EQ(format->source(), "100%% sure");
}

TEST(Format, HeadersWithAlternativesAndLengths) {
  const auto format = Format::parse("a %REQ(X-Id?:AUTHORITY):12%%PROTOCOL%%RESP(Server)%b");
  ASSERT_TRUE(format);
  EXPECT_FALSE(format->is_literal());
  const auto& parts = format->parts();
  ASSERT_EQ(parts.size(), 5U);
  EXPECT_EQ(parts[0].text, "a ");
  EXPECT_EQ(parts[1].op, FormatOp::req);
  EXPECT_EQ(parts[1].text, "x-id");
  EXPECT_EQ(parts[1].alternative, ":authority");
  EXPECT_EQ(parts[1].max_length, 12U);
  EXPECT_EQ(parts[2].op, FormatOp::protocol);
  EXPECT_EQ(parts[3].op, FormatOp::resp);
  EXPECT_EQ(parts[3].text, "server");
  EXPECT_FALSE(parts[3].max_length);
  EXPECT_EQ(parts[4].text, "b");
}

TEST(Format, AnArgumentMayHoldPercentSignsAndParentheses) {
  const auto format = Format::parse("[%START_TIME(%Y/%m (%s))%]");
  ASSERT_TRUE(format);
  ASSERT_EQ(format->parts().size(), 3U);
  EXPECT_EQ(format->parts()[1].op, FormatOp::start_time);
  EXPECT_EQ(format->parts()[1].text, "%Y/%m (%s)");
}

TEST(Format, EveryOperatorParses) {
  for (std::string_view name : Format::operators()) {
    const std::string plain = "%" + std::string(name) + "%";
    const std::string argument = "%" + std::string(name) + "(x)%";
    EXPECT_TRUE(Format::parse(plain) || Format::parse(argument)) << name;
  }
}

TEST(Format, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(problem("50% off"), "the '%' at offset 2 begins no operator: write '%%' for a percent sign");
  EXPECT_EQ(problem("ab %"), "the '%' at offset 3 begins no operator: write '%%' for a percent sign");
  EXPECT_EQ(problem("%REQQ(a)%"), "there is no operator '%REQQ%' (at offset 0) (did you mean 'REQ'?)");
  EXPECT_EQ(problem("x %RESPONSE_CODES%"),
            "there is no operator '%RESPONSE_CODES%' (at offset 2) (did you mean 'RESPONSE_CODE'?)");
  EXPECT_EQ(problem("%REQ%"), "the operator '%REQ%' at offset 0 needs an argument in parentheses");
  EXPECT_EQ(problem("%REQ()%"), "the operator '%REQ%' at offset 0 needs an argument in parentheses");
  EXPECT_EQ(problem("%PROTOCOL(x)%"), "the operator '%PROTOCOL%' at offset 0 takes no argument");
  EXPECT_EQ(problem("%PROTOCOL:3%"), "the operator '%PROTOCOL%' at offset 0 takes no ':length'");
  EXPECT_EQ(problem("%REQ(a):99999999999999999999999%"), "the operator '%REQ%' at offset 0 has too great a length");
  EXPECT_EQ(problem("%REQ(a b)%"),
            "the operator '%REQ%' at offset 0 takes one or two header names (X or X?Y), not 'a b'");
  EXPECT_EQ(problem("%REQ(a?)%"),
            "the operator '%REQ%' at offset 0 takes one or two header names (X or X?Y), not 'a?'");
  EXPECT_EQ(problem("%PROTOCOL"),
            "the operator '%PROTOCOL' at offset 0 has no end: it is %NAME%, %NAME(argument)% or "
            "%NAME(argument):length%, and '%%' is a percent sign");
}

}  // namespace
}  // namespace remora::model
