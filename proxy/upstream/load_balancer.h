// LoadBalancer: picks the endpoint of an attempt. Keeps, for each priority that takes load, a Chooser over the
// endpoints that may be used, and looks at health again only when the cluster's HealthGeneration moved or the endpoints
// changed: a pick in the steady state is one relaxed load and the policy's own choice. Owned by ClusterState; worker
// thread. Semantics: Envoy's priority levels (overprovisioning, spill-over, degraded) and panic threshold.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/random.h"
#include "proxy/model/cluster.h"
#include "proxy/upstream/chooser.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

struct PickContext {
  Random& random;
  std::span<LbEndpoint* const> avoid = {};  // tried before (previous_hosts)
  std::uint32_t more_choices = 0;           // how often to choose again when an avoided one came up
  std::optional<std::uint64_t> hash = {};   // what ring hash and Maglev choose by; none: chance
};

class LoadBalancer {
 public:
  // `generation` outlives the balancer; null: health never changes.
  LoadBalancer(const model::Cluster& cluster, const HealthGeneration* generation);

  // The endpoints outlive the next `set_endpoints` or the balancer. After a reload, give the new cluster too.
  void set_endpoints(std::span<LbEndpoint* const> endpoints);
  void reconfigure(const model::Cluster& cluster);

  // nullptr: no endpoint can be used.
  LbEndpoint* pick(const PickContext& context);

  // For pages and reasons: what the last look at health found.
  struct Summary {
    std::uint32_t total = 0;
    std::uint32_t healthy = 0;
    std::uint32_t degraded = 0;
    std::uint32_t ejected = 0;
    bool panic = false;  // of the first priority: load goes to all of it, healthy or not
  };
  const Summary& summary(Random& random);

 private:
  struct Level;
  struct Target {
    std::uint32_t upto = 0;  // takes random numbers in [the one before, upto) of 100
    std::unique_ptr<Chooser> chooser;
  };

  void refresh_if_stale(Random& random);
  void refresh(Random& random);
  std::vector<Level> levels() const;
  std::unique_ptr<Chooser> make_chooser(std::vector<LbEndpoint*> endpoints, Random& random) const;
  void add_target(std::uint32_t load, std::vector<LbEndpoint*> endpoints, Random& random);
  LbEndpoint* pick_once(const ChooseBy& by);
  bool hashes() const { return policy_ == model::LbPolicy::ring_hash || policy_ == model::LbPolicy::maglev; }

  // Settings, copied: the Snapshot that they came from may go first.
  model::LbPolicy policy_;
  std::uint32_t choice_count_;
  model::RingHash ring_hash_;
  std::uint64_t maglev_table_size_;
  std::uint32_t overprovisioning_;
  std::uint32_t panic_threshold_;
  const HealthGeneration* generation_;

  std::vector<LbEndpoint*> endpoints_;
  std::vector<Target> targets_;
  std::uint64_t seen_generation_ = 0;
  bool stale_ = true;
  Summary summary_;
};

}  // namespace remora::upstream
