// "Did you mean ...?"
#include "core/base/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace remora {
namespace {

constexpr std::array<std::string_view, 4> kWords = {"prefix", "path", "safe_regex", "ROUND_ROBIN"};

TEST(Nearest, Distances) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("prefx", "prefix"), 1U);
  EXPECT_EQ(edit_distance("perfix", "prefix"), 1U) << "neighbours swapped are one mistake";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Nearest, GuessesWhatIsNearAndNothingElse) {
  EXPECT_EQ(nearest("prefx", kWords), "prefix");
  EXPECT_EQ(nearest("round_robbin", kWords), "ROUND_ROBIN");
  EXPECT_EQ(nearest("banana", kWords), "");
  EXPECT_EQ(nearest("p", kWords), "");
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), kWords), "");
  EXPECT_EQ(did_you_mean("pth", kWords), " (did you mean 'path'?)");
  EXPECT_EQ(did_you_mean("zzz", kWords), "");
}

}  // namespace
}  // namespace remora
