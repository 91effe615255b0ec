#include "proxy/upstream/limits.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace remora::upstream {
namespace {

using Kind = ClusterLimits::Kind;

TEST(Limits, HoldExactly) {
  model::Thresholds thresholds;
  thresholds.max_requests = 2;
  ClusterLimits limits(thresholds);
  EXPECT_TRUE(limits.try_acquire(Kind::requests));
  EXPECT_TRUE(limits.try_acquire(Kind::requests));
  EXPECT_FALSE(limits.try_acquire(Kind::requests));
  EXPECT_EQ(limits.active(Kind::requests), 2U);
  limits.release(Kind::requests);
  EXPECT_EQ(limits.remaining(Kind::requests), 1U);
  EXPECT_TRUE(limits.try_acquire(Kind::requests));
  thresholds.max_requests = 0;
  limits.reconfigure(thresholds);
  EXPECT_FALSE(limits.try_acquire(Kind::requests));
  EXPECT_EQ(limits.remaining(Kind::requests), 0U);
}

TEST(Limits, TheRetryBudgetIsAShareOfWhatIsBusyAndAtLeastThree) {
  ClusterLimits limits(model::Thresholds{});
  EXPECT_EQ(limits.limit(Kind::retries), 3U);
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(limits.try_acquire(i % 2 == 0 ? Kind::requests : Kind::pending));
  }
  EXPECT_EQ(limits.limit(Kind::retries), 8U);
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(limits.try_acquire(Kind::retries));
  }
  EXPECT_FALSE(limits.try_acquire(Kind::retries));
}

TEST(Limits, MaxRetriesHoldsToo) {
  model::Thresholds thresholds;
  thresholds.use_max_retries = true;
  thresholds.max_retries = 1;
  ClusterLimits limits(thresholds);
  EXPECT_TRUE(limits.try_acquire(Kind::retries));
  EXPECT_FALSE(limits.try_acquire(Kind::retries));
}

TEST(Limits, TokensGiveBack) {
  model::Thresholds thresholds;
  thresholds.max_connections = 1;
  ClusterLimits limits(thresholds);
  {
    LimitToken token = LimitToken::acquire(limits, Kind::connections);
    EXPECT_TRUE(token);
    EXPECT_FALSE(LimitToken::acquire(limits, Kind::connections));
    LimitToken moved = std::move(token);
    EXPECT_TRUE(moved);
    EXPECT_EQ(limits.active(Kind::connections), 1U);
    moved = LimitToken();
    EXPECT_EQ(limits.active(Kind::connections), 0U);
  }
  EXPECT_EQ(limits.active(Kind::connections), 0U);
}

TEST(Limits, HoldAcrossThreads) {
  model::Thresholds thresholds;
  thresholds.max_requests = 10;
  ClusterLimits limits(thresholds);
  std::atomic<std::uint32_t> inside{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        if (limits.try_acquire(Kind::requests)) {
          if (inside.fetch_add(1) >= 10) {
            exceeded = true;
          }
          inside.fetch_sub(1);
          limits.release(Kind::requests);
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(limits.active(Kind::requests), 0U);
}

}  // namespace
}  // namespace remora::upstream
