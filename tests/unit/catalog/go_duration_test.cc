#include "control/catalog/go_duration.h"

#include <gtest/gtest.h>

namespace remora::catalog {
namespace {

TEST(GoDuration, ReadsWhatGoReads) {
  EXPECT_EQ(parse_go_duration("5s"), Seconds(5));
  EXPECT_EQ(parse_go_duration("250ms"), Milliseconds(250));
  EXPECT_EQ(parse_go_duration("1h15m30.5s"), Milliseconds(4'530'500));
  EXPECT_EQ(parse_go_duration("-1.5h"), Seconds(-5400));
  EXPECT_EQ(parse_go_duration("+3us"), Nanoseconds(3000));
  EXPECT_EQ(parse_go_duration("3\xC2\xB5s"), Nanoseconds(3000));
  EXPECT_EQ(parse_go_duration(".5s"), Milliseconds(500));
  EXPECT_EQ(parse_go_duration("1.s"), Seconds(1));
  EXPECT_EQ(parse_go_duration("0"), Nanoseconds(0));
  EXPECT_EQ(parse_go_duration("2540400h10m10s").has_value(), true);
}

TEST(GoDuration, RefusesWhatGoRefuses) {
  for (const char* text : {"", "5", "s", ".s", "1x", "1 s", "5s ", "-", "1d", "3000000h", "9223372036854775808ns",
                           "--1s", "99999999999999999999s"}) {
    EXPECT_EQ(parse_go_duration(text), std::nullopt) << text;
  }
}

TEST(GoDuration, WritesThemShort) {
  EXPECT_EQ(go_duration(Nanoseconds(0)), "0s");
  EXPECT_EQ(go_duration(Milliseconds(250)), "250ms");
  EXPECT_EQ(go_duration(Milliseconds(1500)), "1.5s");
  EXPECT_EQ(go_duration(Seconds(3600)), "1h");
  EXPECT_EQ(go_duration(Seconds(4530)), "1h15m30s");
  EXPECT_EQ(go_duration(Seconds(-90)), "-1m30s");
  EXPECT_EQ(go_duration(Nanoseconds(1500)), "1.5us");
  EXPECT_EQ(go_duration(Nanoseconds::min()).empty(), false);
}

}  // namespace
}  // namespace remora::catalog
