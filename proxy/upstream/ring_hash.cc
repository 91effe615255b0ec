// The ring hash policy (ketama): each endpoint has points on a ring in proportion to its weight; a hash belongs to the
// first point at or after it. Semantics, and so answers: Envoy's RING_HASH, without bounded loads.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "core/base/hash.h"
#include "proxy/upstream/chooser.h"
#include "proxy/upstream/weighted_sample.h"

namespace remora::upstream {
namespace {

using Function = model::RingHash::Function;

class RingHash final : public Chooser {
 public:
  RingHash(const std::vector<LbEndpoint*>& endpoints, const model::RingHash& config) {
    double sum = 0;
    double least = static_cast<double>(weight_of(*endpoints[0]));
    for (const LbEndpoint* endpoint : endpoints) {
      sum += static_cast<double>(weight_of(*endpoint));
      least = std::min(least, static_cast<double>(weight_of(*endpoint)));
    }
    least /= sum;
    // The lightest endpoint gets a whole number of points, unless that makes the ring too large.
    const double size = std::min(std::ceil(least * static_cast<double>(config.minimum_size)) / least,
                                 static_cast<double>(config.maximum_size));
    ring_.reserve(static_cast<std::size_t>(std::ceil(size)));
    double made = 0;
    double wanted = 0;
    for (LbEndpoint* endpoint : endpoints) {
      wanted += size * (static_cast<double>(weight_of(*endpoint)) / sum);
      std::string key = endpoint->config->address.to_string() + "_";
      const std::size_t stem = key.size();
      for (std::uint64_t i = 0; made < wanted; ++i, ++made) {
        key.resize(stem + 20);
        const char* end = std::to_chars(key.data() + stem, key.data() + key.size(), i).ptr;
        key.resize(static_cast<std::size_t>(end - key.data()));
        ring_.push_back({config.function == Function::murmur_hash_2 ? murmur_hash2(key) : xx_hash64(key), endpoint});
      }
    }
    std::ranges::sort(ring_, {}, &Point::hash);
  }

  LbEndpoint* choose(const ChooseBy& by) override {
    const auto found = std::ranges::lower_bound(ring_, by.hash, {}, &Point::hash);
    const auto index = found == ring_.end() ? std::size_t{0} : static_cast<std::size_t>(found - ring_.begin());
    return ring_[(index + by.attempt) % ring_.size()].endpoint;  // another attempt: the next point
  }

 private:
  struct Point {
    std::uint64_t hash;
    LbEndpoint* endpoint;
  };
  std::vector<Point> ring_;
};

}  // namespace

std::unique_ptr<Chooser> make_ring_hash(const std::vector<LbEndpoint*>& endpoints, const model::RingHash& config) {
  return std::make_unique<RingHash>(endpoints, config);
}

}  // namespace remora::upstream
