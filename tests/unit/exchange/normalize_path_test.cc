#include "proxy/exchange/normalize_path.h"

#include <gtest/gtest.h>

namespace remora::proxy {
namespace {

class NormalizePath : public testing::Test {
 protected:
  std::string normal(std::string_view path) {
    const auto result = normalize_path(path, arena_);
    return result ? std::string(*result) : "400";
  }
  BlockPool blocks_;
  Arena arena_{blocks_};
};

TEST_F(NormalizePath, LeavesPlainPathsAlone) {
  EXPECT_EQ(normal("/a/b?c=/../d"), "/a/b?c=/../d");
  EXPECT_EQ(normal("*"), "*");
  EXPECT_EQ(normal("/"), "/");
}

TEST_F(NormalizePath, ResolvesDotsAsEnvoyDoes) {
  EXPECT_EQ(normal("/a/../b/./c"), "/b/c");
  EXPECT_EQ(normal("/../b"), "/b");
  EXPECT_EQ(normal("/a/.."), "/");
  EXPECT_EQ(normal("/a/b/."), "/a/b/");
  EXPECT_EQ(normal("/a/..?q=%2e"), "/?q=%2e");
  EXPECT_EQ(normal("/.hidden"), "/.hidden");
}

TEST_F(NormalizePath, DecodesWhatNeedsNoEncoding) {
  EXPECT_EQ(normal("/%61%7e%2E%2e/x"), "/a~../x");
  EXPECT_EQ(normal("/a/%2e%2e/x"), "/x");
  EXPECT_EQ(normal("/a%2Fb%zz%4"), "/a%2Fb%zz%4");
  EXPECT_EQ(normal("/a\\b"), "/a/b");
}

TEST_F(NormalizePath, RefusesNul) { EXPECT_EQ(normal("/a%00b"), "400"); }

TEST_F(NormalizePath, MergesSlashesButNotOfTheQuery) {
  EXPECT_EQ(merge_slashes("/a//b///c?x=//y", arena_), "/a/b/c?x=//y");
  EXPECT_EQ(merge_slashes("/a/b", arena_), "/a/b");
}

}  // namespace
}  // namespace remora::proxy
