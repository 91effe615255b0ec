// Latencies in nanoseconds, log-linear: 256 steps an octave, so a percentile is right within 0.4 %. Fixed memory, no
// locks.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace remora::bench {

class Histogram {
 public:
  void record(std::int64_t value) {
    const auto v = static_cast<std::uint64_t>(value < 0 ? 0 : value);
    ++buckets_[index_of(v)];
    ++count_;
    sum_ += static_cast<double>(v);
    max_ = v > max_ ? v : max_;
  }

  // The value that `percent` of all values do not exceed.
  double percentile(double percent) const {
    if (count_ == 0) {
      return 0;
    }
    auto wanted = static_cast<std::uint64_t>(percent / 100 * static_cast<double>(count_) + 0.5);
    wanted = wanted < 1 ? 1 : wanted;
    if (wanted >= count_) {
      return static_cast<double>(max_);
    }
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= wanted) {
        return middle_of(i);
      }
    }
    return static_cast<double>(max_);
  }

  std::uint64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  void reset() { *this = Histogram{}; }

 private:
  static constexpr unsigned kStepBits = 8;
  static constexpr std::size_t kSteps = 1u << kStepBits;

  static std::size_t index_of(std::uint64_t v) {
    if (v < kSteps) {
      return v;
    }
    const auto shift = static_cast<unsigned>(std::bit_width(v)) - kStepBits - 1;
    return (shift + 1) * kSteps + ((v >> shift) - kSteps);
  }
  static double middle_of(std::size_t index) {
    if (index < kSteps) {
      return static_cast<double>(index);
    }
    const std::size_t shift = index / kSteps - 1;
    const double width = static_cast<double>(std::uint64_t{1} << shift);
    return static_cast<double>(index % kSteps + kSteps) * width + width / 2;
  }

  std::array<std::uint32_t, (64 - kStepBits + 1) * kSteps> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace remora::bench
