#include "core/http/message.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace remora::http {
namespace {

struct Lists : ::testing::Test {
  BlockPool pool;
  Arena arena{pool};
  HeaderList headers{arena};

  std::string text() const {
    std::string all;
    for (const Header& header : headers.all()) {
      all += std::string(header.name) + "=" + std::string(header.value) + ";";
    }
    return all;
  }
};

TEST(HeaderId, EveryNameFindsItsIdAndBack) {
  std::set<std::string_view> names;
  for (int i = 1; i < static_cast<int>(HeaderId::count_); ++i) {
    const auto id = static_cast<HeaderId>(i);
    const std::string_view name = header_name(id);
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(header_id(name), id) << name;
    EXPECT_TRUE(names.insert(name).second) << name << " stands twice";
    EXPECT_EQ(header_id(std::string(name) + "x"), HeaderId::other);
    EXPECT_EQ(header_id(name.substr(1)), HeaderId::other);
  }
  EXPECT_EQ(header_id(""), HeaderId::other);
  EXPECT_EQ(header_id("x"), HeaderId::other);
  EXPECT_EQ(header_id("Host"), HeaderId::other) << "names are lower case";
  EXPECT_EQ(header_name(HeaderId::other), "");
}

TEST_F(Lists, SetReplacesAllInThePlaceOfTheFirst) {
  headers.add("a", "1");
  headers.add("x-forwarded-for", "2");
  headers.add("b", "3");
  headers.add("x-forwarded-for", "4");
  headers.set("x-forwarded-for", "5");
  EXPECT_EQ(text(), "a=1;x-forwarded-for=5;b=3;");
  headers.add("b", "6");
  headers.add("b", "7");
  headers.set("b", "8");
  EXPECT_EQ(text(), "a=1;x-forwarded-for=5;b=8;");
  headers.set("c", "9");
  headers.set(HeaderId::via, "v");
  EXPECT_EQ(text(), "a=1;x-forwarded-for=5;b=8;c=9;via=v;");
}

TEST_F(Lists, RemoveTakesAllOfAName) {
  headers.add("a", "1");
  headers.add("cookie", "2");
  headers.add("a", "3");
  EXPECT_EQ(headers.remove("a"), 2U);
  EXPECT_EQ(headers.remove("a"), 0U);
  EXPECT_EQ(headers.remove(HeaderId::cookie), 1U);
  EXPECT_TRUE(headers.empty());
}

TEST_F(Lists, FindTellsUnknownNamesApart) {
  headers.add("x-one", "1");
  headers.add("x-two", "2");
  headers.add("te", "3");
  ASSERT_NE(headers.find("x-two"), nullptr);
  EXPECT_EQ(headers.find("x-two")->value, "2");
  EXPECT_EQ(headers.find("te"), headers.find(HeaderId::te));
  EXPECT_EQ(headers.find("x-three"), nullptr);
  EXPECT_EQ(headers.value(HeaderId::accept), "");
}

TEST_F(Lists, JoinsSeveralValues) {
  EXPECT_EQ(headers.joined("a"), "");
  headers.add("a", "1");
  EXPECT_EQ(headers.joined("a"), "1");
  headers.add("b", "x");
  headers.add("a", "");
  headers.add("a", "3");
  EXPECT_EQ(headers.joined("a"), "1,,3");
}

TEST_F(Lists, AppendJoinsAllLinesOfThatName) {
  headers.append(HeaderId::via, "1.1 us", ", ");
  EXPECT_EQ(text(), "via=1.1 us;");
  headers.add("a", "1");
  headers.add("via", "1.0 them");
  headers.append(HeaderId::via, "1.1 last", ", ");
  EXPECT_EQ(text(), "via=1.1 us,1.0 them, 1.1 last;a=1;");
  headers.add(HeaderId::x_forwarded_host, "");
  headers.append(HeaderId::x_forwarded_host, "shop", ",");
  EXPECT_EQ(headers.value(HeaderId::x_forwarded_host), "shop");
}

TEST_F(Lists, GrowKeepsOrderAndCopiesSurviveTheirSource) {
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "n" + std::to_string(i);
    headers.add_copy(name, std::to_string(i));
    expected += name + "=" + std::to_string(i) + ";";
  }
  EXPECT_EQ(text(), expected);
}

TEST(Methods, KnownOnesAndWhichMayBeRepeated) {
  EXPECT_EQ(method_id("GET"), Method::get);
  EXPECT_EQ(method_id("get"), Method::other);
  EXPECT_EQ(method_id("DELETE"), Method::del);
  EXPECT_EQ(method_id("CONNECT"), Method::connect);
  EXPECT_EQ(method_id("PROPFIND"), Method::other);
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    EXPECT_TRUE(is_idempotent(method_id(method))) << method;
  }
  for (const char* method : {"POST", "PATCH", "CONNECT", "PROPFIND"}) {
    EXPECT_FALSE(is_idempotent(method_id(method))) << method;
  }
}

}  // namespace
}  // namespace remora::http
