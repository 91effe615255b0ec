#include "proxy/concurrency.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace remora::proxy {
namespace {

// A fake /proc and /sys below a folder of the test's own.
class ConcurrencyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/remora-concurrency-XXXXXX";
    root_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }

  std::string root_;
};

TEST_F(ConcurrencyTest, WithoutCgroupsThereIsNoLimit) {
  EXPECT_FALSE(cgroup_cpus(root_));
  cpu_set_t set;
  sched_getaffinity(0, sizeof(set), &set);
  EXPECT_EQ(default_concurrency(root_), static_cast<unsigned>(CPU_COUNT(&set)));
}

TEST_F(ConcurrencyTest, TheTightestLevelCounts) {
  put("/proc/self/cgroup", "0::/kubepods/pod1/c1\n");
  put("/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/kubepods/pod1/cpu.max", "150000 100000\n");
  put("/sys/fs/cgroup/kubepods/cpu.max", "800000 100000\n");
  EXPECT_DOUBLE_EQ(cgroup_cpus(root_).value(), 1.5);
  EXPECT_EQ(default_concurrency(root_), 1u);
}

TEST_F(ConcurrencyTest, InsideANamespaceTheMountIsOurOwnGroup) {
  put("/proc/self/cgroup", "0::/\n");
  put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(cgroup_cpus(root_).value(), 0.5);
  EXPECT_EQ(default_concurrency(root_), 1u);
}

TEST_F(ConcurrencyTest, Version1) {
  put("/proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/docker/abc\n");
  put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "200000\n");
  put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(cgroup_cpus(root_).value(), 2.0);
}

TEST_F(ConcurrencyTest, NonsenseIsNoLimit) {
  put("/proc/self/cgroup", "0::/a\nnonsense\n\n");
  put("/sys/fs/cgroup/a/cpu.max", "x y\n");
  EXPECT_FALSE(cgroup_cpus(root_));
}

}  // namespace
}  // namespace remora::proxy
