// A folder that changes, in virtual time: whole or not at all.
#include "control/catalog/folder_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "core/event/inotify_watch.h"
#include "tests/sim/sim_loop.h"

namespace remora::catalog {
namespace {

namespace fs = std::filesystem;

struct Heard final : CatalogEvents {
  void on_catalog(CatalogPtr catalog) override {
    catalogs.push_back(std::move(catalog));
    if (then) {
      then();
    }
  }
  void on_findings(const Findings& findings) override { readings.push_back(findings); }

  std::vector<CatalogPtr> catalogs;
  std::vector<Findings> readings;
  std::function<void()> then;
};

std::string service(const std::string& name, int port) {
  return "services: [{name: " + name + ", port: " + std::to_string(port) + "}]\n";
}

class FolderCatalogTest : public testing::Test {
 protected:
  FolderCatalogTest() {
    folder_ = fs::temp_directory_path() / ("remora_folder_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~FolderCatalogTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    const fs::path fresh = folder_ / (".new." + name);
    std::ofstream(fresh) << text;
    fs::rename(fresh, folder_ / name);
  }

  fs::path folder_;
  Heard heard_;
};

TEST_F(FolderCatalogTest, AnEditKeepsThePartsThatItDidNotTouch) {
  sim::SimLoop loop(1);
  const auto mesh = [](int a, const std::string& between) {
    return "services:\n- {name: a, port: " + std::to_string(a) + "}\n" + between +
           "- {name: b, port: 2}\nconfig_entries: [{kind: service-defaults, name: b, protocol: http}]\n";
  };
  write("a.yaml", mesh(10, ""));
  FolderCatalog followed(loop, {folder_.string()}, heard_);
  followed.start();
  const CatalogPtr first = followed.catalog();
  write("a.yaml", mesh(11, ""));
  followed.touched();
  loop.advance(Milliseconds(100));
  const CatalogPtr second = followed.catalog();
  EXPECT_NE(second->services.at("a"), first->services.at("a"));
  EXPECT_EQ(second->services.at("b"), first->services.at("b"));
  EXPECT_EQ(second->service_defaults.at("b"), first->service_defaults.at("b"));
  EXPECT_EQ(second->proxy_defaults, first->proxy_defaults);
  write("a.yaml", mesh(11, "# what follows moves down\n"));  // and messages must name its new line
  followed.touched();
  loop.advance(Milliseconds(100));
  EXPECT_EQ(followed.catalog()->services.at("a"), second->services.at("a"));
  EXPECT_EQ(followed.catalog()->services.at("b")->front().place.line, 4);
}

TEST_F(FolderCatalogTest, TakesAChangeWholeOrNotAtAll) {
  sim::SimLoop loop(1);
  write("a.yaml", service("a", 1));
  FolderCatalog followed(loop, {folder_.string()}, heard_);
  ASSERT_NE(followed.start().catalog, nullptr);
  const CatalogPtr first = followed.catalog();

  write("b.yaml", "services: [{name: b, prot: 2}]\n");
  followed.touched();
  loop.advance(Milliseconds(100));
  ASSERT_EQ(heard_.readings.size(), 1U);
  EXPECT_TRUE(has_errors(heard_.readings[0]));
  EXPECT_TRUE(heard_.catalogs.empty());
  EXPECT_EQ(followed.catalog(), first);  // the last good one goes on

  write("b.yaml", service("b", 2));
  followed.touched();
  loop.advance(Milliseconds(100));
  ASSERT_EQ(heard_.catalogs.size(), 1U);
  EXPECT_TRUE(heard_.readings[1].empty());
  EXPECT_TRUE(heard_.catalogs[0]->services.contains("a"));
  EXPECT_TRUE(heard_.catalogs[0]->services.contains("b"));
}

TEST_F(FolderCatalogTest, AStormIsOneChange) {
  sim::SimLoop loop(1);
  write("a.yaml", service("a", 1));
  FolderCatalog followed(loop, {folder_.string()}, heard_);
  followed.start();
  for (int i = 0; i < 10; ++i) {
    write("a.yaml", service("a", 10 + i));
    followed.touched();
    loop.advance(Milliseconds(5));
  }
  EXPECT_TRUE(heard_.catalogs.empty());
  loop.advance(Milliseconds(20));
  ASSERT_EQ(heard_.catalogs.size(), 1U);
  EXPECT_EQ(heard_.catalogs[0]->find_instance("a", "")->port, 19);
  // A storm that does not end is read all the same.
  for (int i = 0; i < 100; ++i) {
    write("a.yaml", service("a", 100 + i));
    followed.touched();
    loop.advance(Milliseconds(5));
  }
  EXPECT_GE(heard_.catalogs.size(), 2U);
}

TEST_F(FolderCatalogTest, LooksByItselfWhereNobodyTells) {
  sim::SimLoop loop(1);
  write("a.yaml", service("a", 1));
  FolderCatalog followed(loop, {folder_.string()}, heard_);
  followed.start();
  loop.advance(Seconds(60));
  EXPECT_TRUE(heard_.readings.empty());
  write("a.yaml", service("other", 1));
  loop.advance(Seconds(6));
  ASSERT_EQ(heard_.catalogs.size(), 1U);
  EXPECT_TRUE(heard_.catalogs[0]->services.contains("other"));
}

TEST_F(FolderCatalogTest, TheSameBytesAreNoChange) {
  sim::SimLoop loop(1);
  write("a.yaml", service("a", 1));
  FolderCatalog followed(loop, {folder_.string()}, heard_);
  followed.start();
  write("a.yaml", service("a", 1));
  followed.touched();
  loop.advance(Seconds(20));
  EXPECT_TRUE(heard_.readings.empty());
}

TEST_F(FolderCatalogTest, AFolderThatGoesAndComesBack) {
  sim::SimLoop loop(1);
  write("a.yaml", service("a", 1));
  FolderCatalog followed(loop, {folder_.string()}, heard_);
  followed.start();
  fs::remove_all(folder_);
  loop.advance(Seconds(6));
  ASSERT_EQ(heard_.readings.size(), 1U);
  EXPECT_TRUE(has_errors(heard_.readings[0]));
  loop.advance(Seconds(60));
  EXPECT_EQ(heard_.readings.size(), 1U);  // said once
  fs::create_directories(folder_);
  write("a.yaml", service("a", 2));
  loop.advance(Seconds(6));
  ASSERT_EQ(heard_.catalogs.size(), 1U);
}

// --- with the kernel's own events ------------------------------------------------------------------------------------
class InotifyTest : public FolderCatalogTest {
 protected:
  void start(const std::string& path) {
    followed_ = std::make_unique<FolderCatalog>(loop_, std::vector{path}, heard_);
    ASSERT_NE(followed_->start().catalog, nullptr);
    watch_ = std::make_unique<InotifyWatch>(loop_, std::vector{path}, [this] { followed_->touched(); });
  }
  // Does one thing after the other, each when the one before has made a new catalog; the ports of `a` in those.
  std::vector<int> ports_after(std::vector<std::function<void()>> steps) {
    std::size_t next = 0;
    heard_.then = [&] { next < steps.size() ? steps[next++]() : loop_.stop(); };
    guard_.bind<&InotifyTest::give_up>(this);
    loop_.arm(guard_, Seconds(10));
    steps[next++]();
    loop_.run();
    std::vector<int> ports;
    for (const CatalogPtr& catalog : heard_.catalogs) {
      const Service* a = catalog->find_instance("a", "");
      ports.push_back(a == nullptr ? 0 : a->port);
    }
    return ports;
  }
  void give_up() { loop_.stop(); }

  LibeventLoop loop_;
  std::unique_ptr<FolderCatalog> followed_;
  std::unique_ptr<InotifyWatch> watch_;
  Timer guard_;
};

TEST_F(InotifyTest, RenamesAndWritesOfAFile) {
  write("a.yaml", service("a", 1));
  start((folder_ / "a.yaml").string());
  EXPECT_THAT(ports_after({[&] { write("a.yaml", service("a", 2)); },
                           [&] { std::ofstream(folder_ / "a.yaml") << service("a", 3); },
                           [&] { write("a.yaml", service("a", 4)); }}),
              testing::ElementsAre(2, 3, 4));
}

TEST_F(InotifyTest, KubernetesSwapsALink) {
  const auto data = [&](const std::string& version, int port) {
    fs::create_directories(folder_ / ("..v" + version));
    std::ofstream(folder_ / ("..v" + version) / "a.yaml") << service("a", port);
    fs::create_directory_symlink("..v" + version, folder_ / "..data_tmp");
    fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  };
  data("1", 1);
  fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
  start(folder_.string());
  EXPECT_THAT(ports_after({[&] {
                             data("2", 2);
                             fs::remove_all(folder_ / "..v1");
                           },
                           [&] { data("3", 3); }}),
              testing::ElementsAre(2, 3));
}

TEST_F(InotifyTest, KubernetesSwapsALinkUnderAFile) {
  fs::create_directories(folder_ / "..v1");
  std::ofstream(folder_ / "..v1" / "a.yaml") << service("a", 1);
  fs::create_directory_symlink("..v1", folder_ / "..data");
  fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
  start((folder_ / "a.yaml").string());
  EXPECT_THAT(ports_after({[&] {
                fs::create_directories(folder_ / "..v2");
                std::ofstream(folder_ / "..v2" / "a.yaml") << service("a", 2);
                fs::create_directory_symlink("..v2", folder_ / "..data_tmp");
                fs::rename(folder_ / "..data_tmp", folder_ / "..data");
              }}),
              testing::ElementsAre(2));
}

TEST_F(InotifyTest, FilesThatComeAndGo) {
  write("a.yaml", service("a", 1));
  start(folder_.string());
  EXPECT_THAT(ports_after({[&] { std::ofstream(folder_ / "b.yaml") << service("b", 2); },
                           [&] { fs::remove(folder_ / "b.yaml"); }}),
              testing::ElementsAre(1, 1));
  EXPECT_TRUE(heard_.catalogs.at(0)->services.contains("b"));
  EXPECT_FALSE(heard_.catalogs.at(1)->services.contains("b"));
}

}  // namespace
}  // namespace remora::catalog
