// DynamicConfig over feeds that a test plays: when the first snapshot comes, what is asked for, and the disk.
#include "proxy/sources/dynamic_config.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "core/base/arena.h"
#include "tests/sim/sim_network.h"
#include "tests/unit/sources/resources.h"

namespace remora::sources {
namespace {

using testing::eds_cluster;
using ::testing::ElementsAre;
using testing::endpoints;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::listener;
using testing::rds;
using testing::routes;
using ::testing::SizeIs;
using testing::static_cluster;

constexpr auto kC = ResourceType::cluster;
constexpr auto kE = ResourceType::endpoint;
constexpr auto kL = ResourceType::listener;
constexpr auto kR = ResourceType::route;

class FakeFeed final : public Feed {
 public:
  void want_all(ResourceType type) override { all.insert(type); }
  void want(ResourceType type, const std::set<std::string>& set) override { names[type] = set; }
  void have(ResourceType type, const std::string& name, const std::string& version) override {
    known[{type, name}] = version;
  }
  XdsClientFacts facts() const override { return {}; }

  std::set<ResourceType> all;
  std::map<ResourceType, std::set<std::string>> names;
  std::map<std::pair<ResourceType, std::string>, std::string> known;
};

class DynamicConfigTest : public ::testing::Test {
 protected:
  ~DynamicConfigTest() override {
    config.reset();
    if (!directory.empty()) {
      std::system(("rm -rf " + directory).c_str());  // NOLINT(cert-env33-c)
    }
  }

  void start() {
    feeds.clear();
    published.clear();
    config.emplace(DynamicConfig::World{loop, random, network, {.loop = loop, .blocks = blocks, .scratch = scratch}},
                   testing::bootstrap(),
                   DynamicConfig::Events{.publish = [this](auto next) { published.push_back(std::move(next)); },
                                         .clusters_changed = {},
                                         .log = [this](LogLevel, const std::string& words) { log.push_back(words); }},
                   directory, [this](std::optional<ResourceType> only, const xds::ConfigSource&) {
                     auto feed = std::make_unique<FakeFeed>();
                     feeds[only] = feed.get();
                     return feed;
                   });
    loop.settle();
  }
  void make_directory() {
    char path[] = "/tmp/remora-state-XXXXXX";
    directory = mkdtemp(path);
  }
  std::vector<Rejection> set(ResourceType type, const std::vector<std::string>& resources) {
    auto rejections = config->apply(testing::update(type, resources));
    loop.settle();
    return rejections;
  }
  FakeFeed& ads() { return *feeds.at(std::nullopt); }
  void set_all() {
    set(kC, {eds_cluster("a"), static_cluster("b")});
    set(kE, {endpoints("a", 7)});
    set(kL, {listener("l", 8080, rds("r"))});
    set(kR, {routes("r", "a")});
  }

  sim::SimLoop loop{3};
  sim::SimNetwork network{loop, 1};
  Random random{3};
  BlockPool blocks;
  std::vector<char> scratch = std::vector<char>(4096);
  std::string directory;
  std::map<std::optional<ResourceType>, FakeFeed*> feeds;
  std::vector<std::shared_ptr<const model::Snapshot>> published;
  std::vector<std::string> log;
  std::optional<DynamicConfig> config;
};

TEST_F(DynamicConfigTest, TheFirstSnapshotIsWhole) {
  start();
  EXPECT_THAT(ads().all, ElementsAre(kC, kL));
  set(kC, {eds_cluster("a")});
  EXPECT_THAT(ads().names[kE], ElementsAre("a"));
  set(kL, {listener("l", 8080, rds("r"))});
  EXPECT_THAT(ads().names[kR], ElementsAre("r"));
  set(kR, {routes("r", "a")});
  EXPECT_THAT(published, IsEmpty());
  set(kE, {endpoints("a", 7)});
  ASSERT_THAT(published, SizeIs(1));
  EXPECT_THAT(published[0]->listeners, SizeIs(1));
  EXPECT_THAT(published[0]->clusters, SizeIs(2));
  EXPECT_TRUE(config->initialized());
}

TEST_F(DynamicConfigTest, StartsWithoutWhoNeverAnswers) {
  start();
  loop.advance(Seconds(14));
  EXPECT_THAT(published, IsEmpty());
  loop.advance(Seconds(2));
  ASSERT_THAT(published, SizeIs(1));
  EXPECT_THAT(published[0]->clusters, SizeIs(1));
  set_all();
  EXPECT_THAT(published.back()->listeners, SizeIs(1));
}

TEST_F(DynamicConfigTest, StartsFromTheDiskWhenNobodyAnswers) {
  make_directory();
  start();
  set_all();
  loop.advance(Seconds(2));
  config.reset();
  start();
  EXPECT_THAT(published, IsEmpty());
  config->feed_failed();
  loop.settle();
  ASSERT_THAT(published, SizeIs(1));
  ASSERT_THAT(published[0]->listeners, SizeIs(1));
  EXPECT_EQ(published[0]->clusters.at("a")->endpoints.at(0).address.port(), 7);
  EXPECT_EQ((ads().known[{kC, "a"}]), "1");
  // The control plane is back, and thinks otherwise.
  set(kE, {endpoints("a", 8)});
  EXPECT_EQ(published.back()->clusters.at("a")->endpoints.at(0).address.port(), 8);
}

TEST_F(DynamicConfigTest, TheDiskIsOfNoUseOnceSomebodyAnswered) {
  make_directory();
  start();
  set_all();
  loop.advance(Seconds(2));
  config.reset();
  start();
  set(kC, {static_cluster("new")});
  config->feed_failed();
  loop.settle();
  EXPECT_THAT(published, IsEmpty());
}

TEST_F(DynamicConfigTest, OnlyTheOwnerReadsTheFile) {
  make_directory();
  start();
  set_all();
  loop.advance(Seconds(2));
  const std::string path = StateStore(directory, testing::bootstrap().snapshot->node).path();
  struct stat facts{};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  // Somebody else might have written this one.
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  config.reset();
  start();
  EXPECT_THAT(log, ::testing::Contains(HasSubstr("is not used: others than this proxy's user")));
  config.reset();
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  std::ofstream(path) << "\xff\xff";
  start();
  EXPECT_THAT(log, ::testing::Contains(HasSubstr("it is damaged")));
  config->feed_failed();
  loop.settle();
  EXPECT_THAT(published, IsEmpty());
}

}  // namespace
}  // namespace remora::sources
