// The round robin policy. Equal weights: a cursor. Unequal: earliest deadline first, as Envoy: each endpoint comes due
// every 1 / weight, so heavy ones come often and evenly spread. Both begin at a random place, so that many workers or
// proxies that start together do not all open with the first endpoint.
#include <algorithm>

#include "proxy/upstream/chooser.h"
#include "proxy/upstream/weighted_sample.h"

namespace remora::upstream {
namespace {

class RoundRobin final : public Chooser {
 public:
  RoundRobin(std::vector<LbEndpoint*> endpoints, Random& random)
      : endpoints_(std::move(endpoints)), next_(random.below(endpoints_.size())) {}

  LbEndpoint* choose(const ChooseBy&) override {
    LbEndpoint* chosen = endpoints_[next_];
    next_ = next_ + 1 == endpoints_.size() ? 0 : next_ + 1;
    return chosen;
  }

 private:
  std::vector<LbEndpoint*> endpoints_;
  std::size_t next_;
};

class WeightedRoundRobin final : public Chooser {
 public:
  WeightedRoundRobin(const std::vector<LbEndpoint*>& endpoints, Random& random) {
    for (LbEndpoint* endpoint : endpoints) {
      const double step = 1.0 / static_cast<double>(weight_of(*endpoint));
      // A random phase for each: on average half a step, as if the schedule had been running for ever.
      const double phase = static_cast<double>(random.next() >> 11) * 0x1.0p-53;
      heap_.push_back({step * phase, order_++, step, endpoint});
    }
    std::ranges::make_heap(heap_, later);
  }

  LbEndpoint* choose(const ChooseBy&) override {
    std::ranges::pop_heap(heap_, later);
    Entry& due = heap_.back();
    LbEndpoint* chosen = due.endpoint;
    const double now = due.deadline;
    due.deadline += due.step;
    due.order = order_++;
    std::ranges::push_heap(heap_, later);
    if (now > kRebase) {
      rebase(now);
    }
    return chosen;
  }

 private:
  struct Entry {
    double deadline;
    std::uint64_t order;  // of equal deadlines, the one that waits longest comes first
    double step;
    LbEndpoint* endpoint;
  };
  static constexpr double kRebase = 1e6;  // a double still tells 1e-10 apart there: weights go up to 2^32

  static bool later(const Entry& a, const Entry& b) {
    return a.deadline != b.deadline ? a.deadline > b.deadline : a.order > b.order;
  }

  void rebase(double now) {
    for (Entry& entry : heap_) {
      entry.deadline -= now;
    }
    std::ranges::make_heap(heap_, later);
  }

  std::vector<Entry> heap_;
  std::uint64_t order_ = 0;
};

}  // namespace

std::unique_ptr<Chooser> make_round_robin(std::vector<LbEndpoint*> endpoints, Random& random) {
  const bool equal = std::ranges::all_of(
      endpoints, [&](const LbEndpoint* endpoint) { return weight_of(*endpoint) == weight_of(*endpoints[0]); });
  if (equal) {
    return std::make_unique<RoundRobin>(std::move(endpoints), random);
  }
  return std::make_unique<WeightedRoundRobin>(endpoints, random);
}

}  // namespace remora::upstream
