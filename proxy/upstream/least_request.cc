// The least request policy: the least loaded of `choice_count` endpoints (2 by default) taken at random.
// With equal weights this is Envoy's. With unequal ones Envoy keeps a schedule (EDF) whose weights shrink with the
// active requests seen when an endpoint was last scheduled; we take candidates in proportion to weight and compare
// active / weight, the first of equals winning. An idle cluster then gets exactly the weights' shares, a busy one gets
// active requests in proportion to them, nothing goes stale between two picks, and no heap is touched.
#include "proxy/upstream/chooser.h"
#include "proxy/upstream/weighted_sample.h"

namespace remora::upstream {
namespace {

class LeastRequest final : public Chooser {
 public:
  LeastRequest(std::vector<LbEndpoint*> endpoints, std::uint32_t choice_count)
      : sample_(std::move(endpoints)), choice_count_(std::max(choice_count, 1u)) {}

  LbEndpoint* choose(const ChooseBy& by) override {
    LbEndpoint* best = sample_.pick(by.random);
    for (std::uint32_t i = 1; i < choice_count_; ++i) {
      LbEndpoint* other = sample_.pick(by.random);
      // Envoy draws with replacement: of two endpoints a hung one then still gets one request in four.
      for (int again = 0; other == best && again < kRedraws; ++again) {
        other = sample_.pick(by.random);
      }
      // other.active / other.weight < best.active / best.weight
      if (other->active_requests * weight_of(*best) < best->active_requests * weight_of(*other)) {
        best = other;
      }
    }
    return best;
  }

 private:
  static constexpr int kRedraws = 8;  // a heavy endpoint may come up again and again; one alone always does
  WeightedSample sample_;
  std::uint32_t choice_count_;
};

}  // namespace

std::unique_ptr<Chooser> make_least_request(std::vector<LbEndpoint*> endpoints, std::uint32_t choice_count) {
  return std::make_unique<LeastRequest>(std::move(endpoints), choice_count);
}

}  // namespace remora::upstream
