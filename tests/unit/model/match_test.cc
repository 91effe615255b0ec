// Matchers of strings and headers.
#include "proxy/model/match.h"

#include <gtest/gtest.h>

namespace remora::model {
namespace {

StringMatch matcher(StringMatch::Kind kind, std::string text, bool ignore_case = false) {
  StringMatch match{kind, std::move(text), ignore_case, std::nullopt};
  if (kind == StringMatch::Kind::regex) {
    match.regex = *Regex::compile(match.text);
  }
  return match;
}

TEST(StringMatch, EachKind) {
  using Kind = StringMatch::Kind;
  EXPECT_TRUE(matcher(Kind::exact, "abc").matches("abc"));
  EXPECT_FALSE(matcher(Kind::exact, "abc").matches("Abc"));
  EXPECT_FALSE(matcher(Kind::exact, "abc").matches("abcd"));
  EXPECT_TRUE(matcher(Kind::prefix, "ab").matches("abc"));
  EXPECT_FALSE(matcher(Kind::prefix, "ab").matches("a"));
  EXPECT_TRUE(matcher(Kind::suffix, "bc").matches("abc"));
  EXPECT_FALSE(matcher(Kind::suffix, "abc").matches("bc"));
  EXPECT_TRUE(matcher(Kind::contains, "b").matches("abc"));
  EXPECT_FALSE(matcher(Kind::contains, "x").matches("abc"));
  EXPECT_TRUE(matcher(Kind::regex, "a.c").matches("abc"));
  EXPECT_FALSE(matcher(Kind::regex, "b").matches("abc")) << "a regex matches the whole text";
}

TEST(StringMatch, CaseIsFoldedInTheValueOnly) {
  using Kind = StringMatch::Kind;
  EXPECT_TRUE(matcher(Kind::exact, "abc", true).matches("ABC"));
  EXPECT_TRUE(matcher(Kind::prefix, "ab", true).matches("ABC"));
  EXPECT_FALSE(matcher(Kind::prefix, "abcd", true).matches("ABC"));
  EXPECT_TRUE(matcher(Kind::suffix, "bc", true).matches("ABC"));
  EXPECT_TRUE(matcher(Kind::contains, "b", true).matches("ABC"));
  EXPECT_FALSE(matcher(Kind::contains, "x", true).matches("ABC"));
}

TEST(HeaderMatch, PresenceAndAbsence) {
  HeaderMatch match;
  match.kind = HeaderMatch::Kind::present;
  EXPECT_TRUE(match.matches(""));
  EXPECT_FALSE(match.matches(std::nullopt));
  match.invert = true;
  EXPECT_FALSE(match.matches(""));
  EXPECT_TRUE(match.matches(std::nullopt));
  match.kind = HeaderMatch::Kind::absent;
  EXPECT_TRUE(match.matches("x"));
  match.invert = false;
  EXPECT_TRUE(match.matches(std::nullopt));
  EXPECT_FALSE(match.matches("x"));
}

TEST(HeaderMatch, AMissingHeaderMatchesNoValueInvertedOrNot) {
  HeaderMatch match;
  match.kind = HeaderMatch::Kind::string;
  match.string = matcher(StringMatch::Kind::exact, "a");
  EXPECT_TRUE(match.matches("a"));
  EXPECT_FALSE(match.matches(std::nullopt));
  match.invert = true;
  EXPECT_TRUE(match.matches("b"));
  EXPECT_FALSE(match.matches(std::nullopt));
  match.treat_missing_as_empty = true;
  EXPECT_TRUE(match.matches(std::nullopt));
}

TEST(HeaderMatch, Ranges) {
  HeaderMatch match;
  match.kind = HeaderMatch::Kind::range;
  match.range_start = -5;
  match.range_end = 10;
  EXPECT_TRUE(match.matches("-5"));
  EXPECT_TRUE(match.matches("9"));
  EXPECT_FALSE(match.matches("10"));
  EXPECT_FALSE(match.matches("1.5"));
  EXPECT_FALSE(match.matches("9x"));
  EXPECT_FALSE(match.matches(""));
  EXPECT_FALSE(match.matches("99999999999999999999"));
}

TEST(Regex, SaysWhatIsWrong) {
  const auto bad = Regex::compile("a(b");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "'a(b' is not a regular expression of RE2: missing ): a(b");
  const auto good = Regex::compile("/users/([0-9]+)");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->replace_all("/users/7/x", "/u/\\1"), "/u/7/x");
  EXPECT_TRUE(good->check_substitution("\\1"));
  EXPECT_FALSE(good->check_substitution("\\2"));
}

}  // namespace
}  // namespace remora::model
