// FileFeed over a real folder, in virtual time, with a FileWatcher that the test plays.
#include "proxy/sources/file_feed.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/sim/sim_loop.h"
#include "tests/unit/sources/resources.h"

namespace remora::sources {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::static_cluster;

class FakeWatcher final : public FileWatcher {
 public:
  std::unique_ptr<FileWatch> watch(std::vector<std::string> paths, std::function<void()> touched) override {
    watched = std::move(paths);
    tell = std::move(touched);
    return std::make_unique<FileWatch>();
  }
  std::vector<std::string> watched;
  std::function<void()> tell;
};

class FileFeedTest : public ::testing::Test {
 protected:
  FileFeedTest() {
    char path[] = "/tmp/remora-file-XXXXXX";
    folder = mkdtemp(path);
    source.kind = xds::ConfigSource::Kind::path;
    source.path = folder / "r.yaml";
  }
  ~FileFeedTest() override { fs::remove_all(folder); }

  void start(FileWatcher* how, ResourceType type = ResourceType::cluster) {
    feed.emplace(loop, how, source, type,
                 FeedEvents{.apply =
                                [this](const ResourceUpdate& update, const auto&) {
                                  std::string names;
                                  for (const Resource& each : update.set) {
                                    names += each.name + " ";
                                  }
                                  applied.push_back(names);
                                  return std::vector<Rejection>();
                                },
                            .log = [this](LogLevel, const std::string& words) { log.push_back(words); },
                            .failed = {}});
    loop.advance(Milliseconds(2));
  }
  void write(const std::string& resources, const std::string& name = "r.yaml") {
    std::ofstream(folder / "new") << "resources: [" << resources << "]";
    fs::rename(folder / "new", folder / name);
  }
  // What was applied since the last time.
  std::vector<std::string> news() { return std::exchange(applied, {}); }

  fs::path folder;
  sim::SimLoop loop{1};
  FakeWatcher watcher;
  xds::ConfigSource source;
  std::vector<std::string> applied, log;
  std::optional<FileFeed> feed;
};

TEST_F(FileFeedTest, IsReadOnceForChangesThatComeTogether) {
  write(static_cluster("a"));
  start(&watcher);
  EXPECT_THAT(watcher.watched, ElementsAre(source.path));
  EXPECT_THAT(news(), ElementsAre("a "));
  write(static_cluster("b"));
  watcher.tell();
  write(static_cluster("c"));
  watcher.tell();
  loop.advance(Milliseconds(10));
  EXPECT_THAT(news(), ElementsAre("c "));
  loop.advance(Seconds(60));
  EXPECT_THAT(news(), IsEmpty());
}

TEST_F(FileFeedTest, WhereNobodyTellsItIsSeenByLookingWhenItHasSettled) {
  write(static_cluster("a"));
  start(nullptr);
  EXPECT_THAT(news(), ElementsAre("a "));
  loop.advance(Seconds(2));
  write(static_cluster("b"));
  loop.advance(Seconds(4));
  write(static_cluster("c"));  // it was not the same twice
  loop.advance(Seconds(5));
  EXPECT_THAT(news(), IsEmpty());
  loop.advance(Seconds(5));
  EXPECT_THAT(news(), ElementsAre("c "));
}

TEST_F(FileFeedTest, OfAWatchedDirectoryAloneChangesCount) {
  fs::create_directory(folder / "watched");
  source.watched_directory = folder / "watched";
  write(static_cluster("a"));
  start(&watcher);
  EXPECT_THAT(watcher.watched, ElementsAre(source.watched_directory));
  EXPECT_THAT(news(), ElementsAre("a "));
  write(static_cluster("b"));
  loop.advance(Seconds(60));
  EXPECT_THAT(news(), IsEmpty());
  std::ofstream(folder / "watched" / "flag") << "go";
  loop.advance(Seconds(11));  // nobody told
  EXPECT_THAT(news(), ElementsAre("b "));
  write(static_cluster("c"));
  watcher.tell();
  loop.advance(Seconds(1));
  EXPECT_THAT(news(), ElementsAre("c "));
}

TEST_F(FileFeedTest, EndpointsAreThoseThatAreWanted) {
  write(testing::endpoints("a", 1) + ", " + testing::endpoints("b", 1));
  start(&watcher, ResourceType::endpoint);
  EXPECT_THAT(news(), ElementsAre(""));
  feed->want(ResourceType::endpoint, {"b"});
  loop.advance(Milliseconds(2));
  EXPECT_THAT(news(), ElementsAre("b "));
  feed->want(ResourceType::endpoint, {"a", "b"});
  loop.advance(Milliseconds(2));
  EXPECT_THAT(news(), ElementsAre("a b "));
  feed->want(ResourceType::endpoint, {"a"});
  loop.advance(Milliseconds(2));
  EXPECT_THAT(news(), IsEmpty());
}

TEST_F(FileFeedTest, WhatIsWrongIsSaidOnce) {
  start(&watcher);
  EXPECT_THAT(log, ElementsAre(HasSubstr("r.yaml: No such file or directory; the last good configuration goes on")));
  EXPECT_FALSE(feed->facts().connected);
  watcher.tell();
  loop.advance(Seconds(1));
  EXPECT_EQ(log.size(), 1u);
  write(static_cluster("a"));
  watcher.tell();
  loop.advance(Seconds(1));
  EXPECT_THAT(news(), ElementsAre("a "));
  EXPECT_TRUE(feed->facts().connected);
  write("}");
  watcher.tell();
  loop.advance(Seconds(1));
  EXPECT_EQ(log.size(), 2u);
}

}  // namespace
}  // namespace remora::sources
