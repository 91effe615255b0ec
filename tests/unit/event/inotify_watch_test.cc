// InotifyWatch on a real file system: each way in which what stands at a path may change.
#include "core/event/inotify_watch.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

namespace remora {
namespace {

namespace fs = std::filesystem;

class InotifyWatchTest : public ::testing::Test {
 protected:
  InotifyWatchTest() {
    char path[] = "/tmp/remora-inotify-XXXXXX";
    folder_ = mkdtemp(path);
  }
  ~InotifyWatchTest() override { fs::remove_all(folder_); }

  void follow(const std::string& path) {
    watch_ = InotifyWatcher(loop_).watch({folder_ / path}, [this] { ++touched_; });
  }
  // Whether it was told, since the last time: whatever was done, the kernel has written down by now.
  bool tells() {
    event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    return std::exchange(touched_, 0) > 0;
  }
  void write(const std::string& path) { std::ofstream(folder_ / path) << "x"; }
  void move(const std::string& from, const std::string& to) { fs::rename(folder_ / from, folder_ / to); }
  void link(const std::string& to, const std::string& path) { fs::create_symlink(to, folder_ / path); }
  void make(const std::string& path) { fs::create_directories(folder_ / path); }

  fs::path folder_;
  LibeventLoop loop_;
  std::unique_ptr<FileWatch> watch_;
  int touched_ = 0;
};

TEST_F(InotifyWatchTest, AFileThatIsReplacedOrWritten) {
  write("a");
  write("b");
  follow("a");
  EXPECT_FALSE(tells());
  move("b", "a");
  EXPECT_TRUE(tells());
  write("a");
  EXPECT_TRUE(tells());
  fs::remove(folder_ / "a");
  EXPECT_TRUE(tells());
  write("a");
  EXPECT_TRUE(tells());
  write("other");
  EXPECT_FALSE(tells());
}

TEST_F(InotifyWatchTest, AFileThatIsHalfWrittenIsNotToldOf) {
  follow("a");
  std::ofstream file(folder_ / "a");
  file << "half" << std::flush;
  EXPECT_FALSE(tells());
  file.close();
  EXPECT_TRUE(tells());
}

TEST_F(InotifyWatchTest, LinksOnTheWay) {
  make("v1/x");
  make("v2/x");
  write("v1/x/a");
  write("v2/x/a");
  link("v1", "current");
  link("current/x", "x");
  follow("x/a");
  link("v2", "next");
  move("next", "current");
  EXPECT_TRUE(tells());
  write("v2/x/a");
  EXPECT_TRUE(tells());
  write("v1/x/a");
  EXPECT_FALSE(tells()) << "nothing leads there any more";
}

TEST_F(InotifyWatchTest, ALinkToAnAbsolutePath) {
  make("v1");
  make("v2");
  write("v1/a");
  write("v2/a");
  link(folder_ / "v1", "current");
  follow("current/a");
  link(folder_ / "v2", "next");
  move("next", "current");
  EXPECT_TRUE(tells());
  write("v2/a");
  EXPECT_TRUE(tells());
}

TEST_F(InotifyWatchTest, FoldersThatComeLate) {
  follow("one/two/a");
  make("one");
  EXPECT_TRUE(tells());
  make("one/two");
  EXPECT_TRUE(tells());
  write("one/two/a");
  EXPECT_TRUE(tells());
}

TEST_F(InotifyWatchTest, AFolderThatIsReplacedByAnother) {
  make("data");
  make("fresh");
  write("data/a");
  write("fresh/a");
  follow("data/a");
  move("data", "old");
  EXPECT_TRUE(tells());
  move("fresh", "data");
  EXPECT_TRUE(tells());
  write("data/a");
  EXPECT_TRUE(tells());
  write("old/a");
  EXPECT_FALSE(tells());
}

TEST_F(InotifyWatchTest, LinksInACircleEnd) {
  link("b", "a");
  link("a", "b");
  follow("a");
  fs::remove(folder_ / "a");
  write("a");
  EXPECT_TRUE(tells());
}

TEST_F(InotifyWatchTest, AFolderIsAllThatIsInIt) {
  make("d");
  follow("d");
  write("d/a");
  EXPECT_TRUE(tells());
  write("d/.hidden");
  EXPECT_FALSE(tells());
}

}  // namespace
}  // namespace remora
