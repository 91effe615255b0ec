#include "core/base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace remora {
namespace {

TEST(Random, RepeatsFromTheSameSeed) {
  Random a(7);
  Random b(7);
  Random c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto value = a.next();
    EXPECT_EQ(value, b.next());
    differs |= value != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, SpreadsBelowItsBound) {
  Random random(0);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10000; ++i) {
    ++seen.at(random.below(10));
  }
  for (const int count : seen) {
    EXPECT_NEAR(count, 1000, 200);
  }
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_EQ(random.below(0), 0U);
}

}  // namespace
}  // namespace remora
