// WeightedSample: an endpoint at random, in proportion to its weight: one random number, and a binary search where
// weights differ. Member of a Chooser; worker thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

inline std::uint64_t weight_of(const LbEndpoint& endpoint) { return std::max(endpoint.config->weight, 1u); }

class WeightedSample {
 public:
  explicit WeightedSample(std::vector<LbEndpoint*> endpoints) : endpoints_(std::move(endpoints)) {
    const bool equal = std::ranges::all_of(
        endpoints_, [&](const LbEndpoint* endpoint) { return weight_of(*endpoint) == weight_of(*endpoints_[0]); });
    if (equal) {
      return;
    }
    std::uint64_t sum = 0;
    for (const LbEndpoint* endpoint : endpoints_) {
      sums_.push_back(sum += weight_of(*endpoint));
    }
  }

  LbEndpoint* pick(Random& random) const {
    if (sums_.empty()) {
      return endpoints_[random.below(endpoints_.size())];
    }
    const auto at = std::ranges::upper_bound(sums_, random.below(sums_.back()));
    return endpoints_[static_cast<std::size_t>(at - sums_.begin())];
  }

  bool weighted() const { return !sums_.empty(); }
  const std::vector<LbEndpoint*>& endpoints() const { return endpoints_; }

 private:
  std::vector<LbEndpoint*> endpoints_;
  std::vector<std::uint64_t> sums_;  // of weights up to and with each endpoint; empty: all weigh the same
};

}  // namespace remora::upstream
