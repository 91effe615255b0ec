#include "core/base/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace remora {
namespace {

TEST(Arena, KeepsWhatItCopied) {
  BlockPool pool;
  Arena arena(pool);
  std::string text = "hello";
  const std::string_view copy = arena.copy(text);
  text = "other";
  EXPECT_EQ(copy, "hello");
  EXPECT_EQ(arena.concat("a", std::string("bc"), std::string_view("d")), "abcd");
}

TEST(Arena, JoinsEmptyViews) {
  BlockPool pool;
  Arena arena(pool);
  EXPECT_EQ(arena.copy({}), "");
  EXPECT_EQ(arena.concat(std::string_view(), "x", std::string_view()), "x");
  EXPECT_EQ(arena.concat(std::string_view()), "");
}

TEST(Arena, AlignsWhatItHands) {
  BlockPool pool;
  Arena arena(pool);
  for (const std::size_t alignment : {1U, 2U, 8U, 16U}) {
    (void)arena.allocate(1, 1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.allocate(3, alignment)) % alignment, 0U);
  }
}

TEST(Arena, TakesWhatIsLargerThanABlock) {
  BlockPool pool;
  Arena arena(pool);
  const std::string large(3 * BlockPool::kBlockSize, 'x');
  EXPECT_EQ(arena.copy(large), large);
  EXPECT_EQ(pool.allocated(), 0U);  // a large one is no block of the pool's
}

TEST(Arena, ReturnsItsBlocksForTheNext) {
  BlockPool pool;
  for (int round = 0; round < 3; ++round) {
    Arena arena(pool);
    for (int i = 0; i < 100; ++i) {
      (void)arena.allocate(100);
    }
  }
  const std::size_t after_warming = pool.allocated();
  for (int round = 0; round < 10; ++round) {
    Arena arena(pool);
    for (int i = 0; i < 100; ++i) {
      (void)arena.allocate(100);
    }
  }
  EXPECT_EQ(pool.allocated(), after_warming);
  pool.trim(0);
  EXPECT_EQ(pool.allocated(), 0U);
}

}  // namespace
}  // namespace remora
