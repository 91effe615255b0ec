#include "proxy/upstream/limits.h"

#include <algorithm>
#include <limits>

namespace remora::upstream {

void ClusterLimits::reconfigure(const model::Thresholds& thresholds) {
  cell(Kind::connections).limit.store(thresholds.max_connections, std::memory_order_relaxed);
  cell(Kind::pending).limit.store(thresholds.max_pending_requests, std::memory_order_relaxed);
  cell(Kind::requests).limit.store(thresholds.max_requests, std::memory_order_relaxed);
  cell(Kind::retries)
      .limit.store(thresholds.use_max_retries ? thresholds.max_retries : std::numeric_limits<std::uint32_t>::max(),
                   std::memory_order_relaxed);
  budget_percent_.store(thresholds.retry_budget_percent, std::memory_order_relaxed);
  min_retry_concurrency_.store(thresholds.min_retry_concurrency, std::memory_order_relaxed);
}

std::uint32_t ClusterLimits::retry_limit() const {
  const double busy = static_cast<double>(active(Kind::requests)) + static_cast<double>(active(Kind::pending));
  const auto share = static_cast<std::uint32_t>(busy * budget_percent_.load(std::memory_order_relaxed) / 100.0);
  const std::uint32_t budget = std::max(share, min_retry_concurrency_.load(std::memory_order_relaxed));
  return std::min(budget, cell(Kind::retries).limit.load(std::memory_order_relaxed));
}

}  // namespace remora::upstream
