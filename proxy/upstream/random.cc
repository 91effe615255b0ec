// The random policy. Envoy's ignores weights; ours keeps them.
#include "proxy/upstream/chooser.h"
#include "proxy/upstream/weighted_sample.h"

namespace remora::upstream {
namespace {

class RandomChoice final : public Chooser {
 public:
  explicit RandomChoice(std::vector<LbEndpoint*> endpoints) : sample_(std::move(endpoints)) {}
  LbEndpoint* choose(const ChooseBy& by) override { return sample_.pick(by.random); }

 private:
  WeightedSample sample_;
};

}  // namespace

std::unique_ptr<Chooser> make_random(std::vector<LbEndpoint*> endpoints) {
  return std::make_unique<RandomChoice>(std::move(endpoints));
}

}  // namespace remora::upstream
