// The numbers that others compute too.
#include "core/base/hash.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace remora {
namespace {

TEST(Hash, XxHash64IsTheOneThatIsPublished) {
  EXPECT_EQ(xx_hash64(""), 0xef46db3751d8e999U);
  EXPECT_EQ(xx_hash64("a"), 0xd24ec4f1a98c6e5bU);
  EXPECT_EQ(xx_hash64("abc"), 0x44bc2cf5ad770999U);
  EXPECT_NE(xx_hash64("abc", 1), xx_hash64("abc"));
}

TEST(Hash, Murmur2IsLibstdcxxs) {
  std::string text;
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(murmur_hash2(text), std::hash<std::string>{}(text)) << text;
    text += static_cast<char>('a' + i % 26);
  }
}

}  // namespace
}  // namespace remora
