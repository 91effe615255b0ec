#include "metrics/histogram.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace remora::metrics {
namespace {

template <const auto& kBuckets>
void check_all_edges() {
  using Buckets = std::remove_cvref_t<decltype(kBuckets)>;
  const auto slow = [](std::uint64_t value) {
    std::size_t i = 0;
    while (i + 1 < Buckets::kCount && value > kBuckets.bound(i)) {
      ++i;
    }
    return i;
  };
  for (std::size_t i = 0; i + 1 < Buckets::kCount; ++i) {
    for (const std::uint64_t value : {kBuckets.bound(i) - 1, kBuckets.bound(i), kBuckets.bound(i) + 1}) {
      EXPECT_EQ(kBuckets.index(value), slow(value)) << value;
    }
  }
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    for (const std::uint64_t value : {power - 1, power, power + 1, power + power / 2, power + power / 4}) {
      EXPECT_EQ(kBuckets.index(value), slow(value)) << value;
    }
  }
  EXPECT_EQ(kBuckets.index(0), 0u);
  EXPECT_EQ(kBuckets.index(UINT64_MAX), Buckets::kCount - 1);
}

TEST(Buckets, FindEveryValueItsBucket) {
  check_all_edges<kDurationBuckets>();
  check_all_edges<kOwnBuckets>();
}

TEST(Histogram, CountsAndSums) {
  DurationHistogram histogram;
  histogram.record(Nanoseconds(10'000));  // a bound belongs to its bucket
  histogram.record(Nanoseconds(10'001));
  histogram.record(Nanoseconds(-5));  // a clock's hiccup is nothing
  histogram.record(std::chrono::hours(1));
  EXPECT_EQ(histogram.count(0), 2u);
  EXPECT_EQ(histogram.count(1), 1u);
  EXPECT_EQ(histogram.count(DurationHistogram::kCount - 1), 1u);
  EXPECT_EQ(histogram.sum_ns(), 20'001u + 3'600'000'000'000u);
}

}  // namespace
}  // namespace remora::metrics
