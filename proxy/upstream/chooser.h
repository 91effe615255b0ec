// Chooser: one load balancing policy over one set of endpoints that may all be used. Made anew whenever the set
// changes; `choose` neither allocates nor looks at health. Owned by LoadBalancer; worker thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/random.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

struct ChooseBy {
  Random& random;
  std::uint64_t hash = 0;     // of the request: what the hashing policies choose by
  std::uint32_t attempt = 0;  // how often this pick chose before, and was not content
};

class Chooser {
 public:
  virtual ~Chooser() = default;
  virtual LbEndpoint* choose(const ChooseBy& by) = 0;
};

// REQUIRES for each: endpoints are not empty.
std::unique_ptr<Chooser> make_round_robin(std::vector<LbEndpoint*> endpoints, Random& random);
std::unique_ptr<Chooser> make_random(std::vector<LbEndpoint*> endpoints);
std::unique_ptr<Chooser> make_least_request(std::vector<LbEndpoint*> endpoints, std::uint32_t choice_count);
std::unique_ptr<Chooser> make_ring_hash(const std::vector<LbEndpoint*>& endpoints, const model::RingHash& config);
std::unique_ptr<Chooser> make_maglev(const std::vector<LbEndpoint*>& endpoints, std::uint64_t table_size);

}  // namespace remora::upstream
