// ClusterLimits: how much of a cluster all workers together may use at once: Envoy's circuit breaker thresholds and
// retry budget. Shared by the workers (shared_ptr, outlives a Snapshot); plain atomics, each on its own cache line.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "proxy/model/cluster.h"

namespace remora::upstream {

class ClusterLimits {
 public:
  enum class Kind : std::uint8_t { connections, pending, requests, retries };

  explicit ClusterLimits(const model::Thresholds& thresholds) { reconfigure(thresholds); }
  ClusterLimits(const ClusterLimits&) = delete;
  ClusterLimits& operator=(const ClusterLimits&) = delete;

  // New numbers hold for what is acquired from now on.
  void reconfigure(const model::Thresholds& thresholds);

  // One add when there is room, which is nearly always. `retries`: a retry that waits for its back-off or runs.
  [[nodiscard]] bool try_acquire(Kind kind) {
    const std::uint32_t limit =
        kind == Kind::retries ? retry_limit() : cell(kind).limit.load(std::memory_order_relaxed);
    if (cell(kind).active.fetch_add(1, std::memory_order_relaxed) < limit) [[likely]] {
      return true;
    }
    cell(kind).active.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  // Whatever the limit says: for what must not be refused.
  void acquire(Kind kind) { cell(kind).active.fetch_add(1, std::memory_order_relaxed); }
  void release(Kind kind) { cell(kind).active.fetch_sub(1, std::memory_order_relaxed); }

  std::uint32_t active(Kind kind) const { return cell(kind).active.load(std::memory_order_relaxed); }
  std::uint32_t limit(Kind kind) const {
    return kind == Kind::retries ? retry_limit() : cell(kind).limit.load(std::memory_order_relaxed);
  }
  std::uint32_t remaining(Kind kind) const {
    const std::uint32_t used = active(kind);
    const std::uint32_t most = limit(kind);
    return used < most ? most - used : 0;
  }

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint32_t> active{0};
    std::atomic<std::uint32_t> limit{0};
  };

  Cell& cell(Kind kind) { return cells_[static_cast<std::size_t>(kind)]; }
  const Cell& cell(Kind kind) const { return cells_[static_cast<std::size_t>(kind)]; }

  // The budget, a share of the requests active and pending now; max_retries too where the file says so.
  std::uint32_t retry_limit() const;

  std::array<Cell, 4> cells_;  // retries' limit: max_retries, or none
  std::atomic<double> budget_percent_{20.0};
  std::atomic<std::uint32_t> min_retry_concurrency_{3};
};

// A unit of a limit, given back when it dies. Move-only; the limits outlive it.
class LimitToken {
 public:
  LimitToken() = default;
  // Empty when there is no room.
  static LimitToken acquire(ClusterLimits& limits, ClusterLimits::Kind kind) {
    LimitToken token;
    if (limits.try_acquire(kind)) {
      token.limits_ = &limits;
      token.kind_ = kind;
    }
    return token;
  }
  LimitToken(LimitToken&& other) noexcept : limits_(std::exchange(other.limits_, nullptr)), kind_(other.kind_) {}
  LimitToken& operator=(LimitToken&& other) noexcept {
    if (this != &other) {
      reset();
      limits_ = std::exchange(other.limits_, nullptr);
      kind_ = other.kind_;
    }
    return *this;
  }
  ~LimitToken() { reset(); }

  explicit operator bool() const { return limits_ != nullptr; }
  void reset() {
    if (limits_ != nullptr) {
      std::exchange(limits_, nullptr)->release(kind_);
    }
  }

 private:
  ClusterLimits* limits_ = nullptr;
  ClusterLimits::Kind kind_ = ClusterLimits::Kind::requests;
};

}  // namespace remora::upstream
