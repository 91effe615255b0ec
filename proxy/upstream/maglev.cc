// The Maglev policy: a table of prime size, filled by the endpoints in turn, each along a permutation of its own.
// Semantics, and so answers: Envoy's MAGLEV, without bounded loads. Source: Eisenbud et al., "Maglev", NSDI 2016, 3.4.
#include <algorithm>
#include <string>
#include <utility>

#include "core/base/hash.h"
#include "proxy/upstream/chooser.h"
#include "proxy/upstream/weighted_sample.h"

namespace remora::upstream {
namespace {

class Maglev final : public Chooser {
 public:
  Maglev(const std::vector<LbEndpoint*>& endpoints, std::uint64_t table_size) : table_(table_size, kFree) {
    std::vector<Builder> builders = make_builders(endpoints);
    double heaviest = 0;
    for (const Builder& builder : builders) {
      endpoints_.push_back(builder.endpoint);
      heaviest = std::max(heaviest, builder.weight);
    }
    std::uint64_t filled = 0;
    // The heaviest endpoint takes a slot in each round, one of a third of its weight in every third.
    for (std::uint32_t round = 1; filled < table_size; ++round) {
      for (std::uint32_t i = 0; i < builders.size() && filled < table_size; ++i) {
        Builder& builder = builders[i];
        if (round * builder.weight < builder.due) {
          continue;
        }
        builder.due += heaviest;
        while (table_[builder.slot] != kFree) {
          builder.advance(table_size);
        }
        table_[builder.slot] = i;
        builder.advance(table_size);
        ++filled;
      }
    }
  }

  LbEndpoint* choose(const ChooseBy& by) override {
    std::uint64_t hash = by.hash;
    if (by.attempt > 0) {
      hash ^= ~std::uint64_t{0} - by.attempt + 1;  // most bits change: retries spread
    }
    return endpoints_[table_[hash % table_.size()]];
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;

  struct Builder {
    std::string key;
    LbEndpoint* endpoint;
    double weight;  // its share of all
    double due = 0;
    std::uint64_t slot = 0;  // the next of its permutation
    std::uint64_t skip = 0;

    void advance(std::uint64_t table_size) {
      slot += skip;
      if (slot >= table_size) {
        slot -= table_size;
      }
    }
  };

  // By key, so that the order in which endpoints became known changes nothing.
  std::vector<Builder> make_builders(const std::vector<LbEndpoint*>& endpoints) const {
    double sum = 0;
    for (const LbEndpoint* endpoint : endpoints) {
      sum += static_cast<double>(weight_of(*endpoint));
    }
    std::vector<Builder> builders;
    builders.reserve(endpoints.size());
    for (LbEndpoint* endpoint : endpoints) {
      Builder& builder = builders.emplace_back();
      builder.key = endpoint->config->address.to_string();
      builder.endpoint = endpoint;
      builder.weight = static_cast<double>(weight_of(*endpoint)) / sum;
      builder.slot = xx_hash64(builder.key) % table_.size();
      builder.skip = xx_hash64(builder.key, 1) % (table_.size() - 1) + 1;
    }
    std::ranges::sort(builders, {}, &Builder::key);
    return builders;
  }

  std::vector<LbEndpoint*> endpoints_;
  std::vector<std::uint32_t> table_;  // indices of endpoints_
};

}  // namespace

std::unique_ptr<Chooser> make_maglev(const std::vector<LbEndpoint*>& endpoints, std::uint64_t table_size) {
  return std::make_unique<Maglev>(endpoints, table_size);
}

}  // namespace remora::upstream
