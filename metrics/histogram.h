// Histogram: durations counted in fixed buckets. The bucket of a value comes from its highest three bits and one
// comparison. Owned by a series; one writer, any reader.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"
#include "metrics/cell.h"

namespace remora::metrics {

// Upper bounds (inclusive, as Prometheus' `le`) and the table that finds a value's bucket among them. Values that share
// their highest three bits are a class; no class may hold more than one bound, which the compiler checks.
template <std::size_t N>
class Buckets {
 public:
  static constexpr std::size_t kCount = N + 1;  // with +Inf

  consteval explicit Buckets(const std::array<std::uint64_t, N>& bounds) {
    for (std::size_t i = 0; i < N; ++i) {
      bounds_[i] = bounds[i];
      if (i > 0 && bounds[i] <= bounds[i - 1]) {
        throw "bounds must rise";
      }
    }
    bounds_[N] = UINT64_MAX;
    for (std::size_t c = 0; c < kClasses; ++c) {
      std::size_t i = 0;
      while (i < N && bounds_[i] < lowest(c)) {
        ++i;
      }
      first_[c] = static_cast<std::uint8_t>(i);
      if (i < N && c + 1 < kClasses && bounds_[i + 1] < lowest(c + 1) - 1) {
        throw "two bounds are too close: one class of values would hold both";
      }
    }
  }

  constexpr std::size_t index(std::uint64_t value) const {
    const std::size_t i = first_[class_of(value)];
    return i + (value > bounds_[i] ? 1 : 0);
  }
  constexpr std::uint64_t bound(std::size_t i) const { return bounds_[i]; }

 private:
  static constexpr std::size_t kClasses = 252;

  static constexpr std::size_t class_of(std::uint64_t value) {
    const auto width = static_cast<std::size_t>(std::bit_width(value | 4));
    return value < 4 ? value : (width - 2) * 4 + ((value >> (width - 3)) & 3);
  }
  static constexpr std::uint64_t lowest(std::size_t c) { return c < 4 ? c : (std::uint64_t{4} + c % 4) << (c / 4 - 1); }

  std::array<std::uint64_t, N + 1> bounds_{};
  std::array<std::uint8_t, kClasses> first_{};
};

// Nanoseconds. Whole exchanges and waits for upstreams: 1, 2.5, 5 from 10 µs to 100 s, round numbers to set goals by.
inline constexpr Buckets<22> kDurationBuckets{std::array<std::uint64_t, 22>{
    10'000,         25'000,         50'000,         100'000,        250'000,       500'000,
    1'000'000,      2'500'000,      5'000'000,      10'000'000,     25'000'000,    50'000'000,
    100'000'000,    250'000'000,    500'000'000,    1'000'000'000,  2'500'000'000, 5'000'000'000,
    10'000'000'000, 25'000'000'000, 50'000'000'000, 100'000'000'000}};

// What the proxy itself added: fine where it normally lies, 1 µs to 100 µs.
inline constexpr Buckets<28> kOwnBuckets{std::array<std::uint64_t, 28>{
    1'000,       1'500,       2'000,       3'000,         5'000,         7'000,         10'000,
    15'000,      20'000,      30'000,      50'000,        70'000,        100'000,       250'000,
    500'000,     1'000'000,   2'500'000,   5'000'000,     10'000'000,    25'000'000,    50'000'000,
    100'000'000, 250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000}};

template <const auto& kBuckets>
class Histogram {
 public:
  static constexpr std::size_t kCount = std::remove_cvref_t<decltype(kBuckets)>::kCount;

  void record(Nanoseconds duration) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
    counts_[kBuckets.index(value)].add();
    sum_.add(value);
  }

  std::uint64_t count(std::size_t bucket) const { return counts_[bucket].value(); }
  std::uint64_t sum_ns() const { return sum_.value(); }
  static constexpr std::uint64_t bound_ns(std::size_t bucket) { return kBuckets.bound(bucket); }

 private:
  std::array<Counter, kCount> counts_;
  Counter sum_;
};

using DurationHistogram = Histogram<kDurationBuckets>;
using OwnHistogram = Histogram<kOwnBuckets>;

}  // namespace remora::metrics
