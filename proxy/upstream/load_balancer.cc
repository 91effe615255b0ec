#include "proxy/upstream/load_balancer.h"

#include <algorithm>
#include <map>
#include <utility>

namespace remora::upstream {

// One priority: its endpoints by availability, and its shares of the load in per cent.
struct LoadBalancer::Level {
  std::vector<LbEndpoint*> all;
  std::vector<LbEndpoint*> healthy;
  std::vector<LbEndpoint*> degraded;
  bool panic = false;
  std::uint32_t healthy_load = 0;
  std::uint32_t degraded_load = 0;

  // How much of the whole load this level's endpoints could take: with an overprovisioning factor of 1.4, all of it
  // while 72 % of them are there.
  std::uint32_t capacity(const std::vector<LbEndpoint*>& some, std::uint32_t overprovisioning) const {
    return all.empty() ? 0
                       : static_cast<std::uint32_t>(
                             std::min<std::uint64_t>(100, std::uint64_t{overprovisioning} * some.size() / all.size()));
  }
};

LoadBalancer::LoadBalancer(const model::Cluster& cluster, const HealthGeneration* generation)
    : generation_(generation) {
  reconfigure(cluster);
}

void LoadBalancer::reconfigure(const model::Cluster& cluster) {
  policy_ = cluster.lb_policy;
  choice_count_ = cluster.least_request_choice_count;
  ring_hash_ = cluster.ring_hash;
  maglev_table_size_ = cluster.maglev_table_size;
  overprovisioning_ = cluster.overprovisioning_factor;
  panic_threshold_ = std::min(cluster.panic_threshold_percent, 100u);
  stale_ = true;
}

void LoadBalancer::set_endpoints(std::span<LbEndpoint* const> endpoints) {
  endpoints_.assign(endpoints.begin(), endpoints.end());
  targets_.clear();  // they may name endpoints that go now
  stale_ = true;
}

LbEndpoint* LoadBalancer::pick(const PickContext& context) {
  refresh_if_stale(context.random);
  ChooseBy by{context.random};
  if (hashes()) {
    by.hash = context.hash ? *context.hash : context.random.next();
  }
  LbEndpoint* chosen = pick_once(by);
  if (context.avoid.empty() || chosen == nullptr) {
    return chosen;
  }
  // As Envoy: choose again a bounded number of times; an avoided endpoint is better than none.
  for (std::uint32_t i = 0; i < context.more_choices; ++i) {
    if (std::ranges::find(context.avoid, chosen) == context.avoid.end()) {
      break;
    }
    ++by.attempt;
    chosen = pick_once(by);
  }
  return chosen;
}

LbEndpoint* LoadBalancer::pick_once(const ChooseBy& by) {
  if (targets_.size() <= 1) {
    return targets_.empty() ? nullptr : targets_[0].chooser->choose(by);
  }
  const std::uint32_t all = targets_.back().upto;
  const std::uint64_t number = hashes() ? by.hash % all : by.random.below(all);
  const auto target = std::ranges::find_if(targets_, [&](const Target& t) { return number < t.upto; });
  return target->chooser->choose(by);
}

const LoadBalancer::Summary& LoadBalancer::summary(Random& random) {
  refresh_if_stale(random);
  return summary_;
}

void LoadBalancer::refresh_if_stale(Random& random) {
  // The generation is read before the flags that it announces: a change that we miss now, we see at the next pick.
  const std::uint64_t generation = generation_ == nullptr ? 0 : generation_->load(std::memory_order_acquire);
  if (stale_ || generation != seen_generation_) [[unlikely]] {
    seen_generation_ = generation;
    stale_ = false;
    refresh(random);
  }
}

std::vector<LoadBalancer::Level> LoadBalancer::levels() const {
  std::map<std::uint32_t, Level> by_priority;
  for (LbEndpoint* endpoint : endpoints_) {
    Level& level = by_priority[endpoint->config->priority];
    level.all.push_back(endpoint);
    switch (availability(*endpoint)) {
      case Availability::healthy:
        level.healthy.push_back(endpoint);
        break;
      case Availability::degraded:
        level.degraded.push_back(endpoint);
        break;
      case Availability::unavailable:
        break;
    }
  }
  std::vector<Level> result;
  for (auto& [priority, level] : by_priority) {
    result.push_back(std::move(level));
  }
  return result;
}

void LoadBalancer::refresh(Random& random) {
  targets_.clear();
  summary_ = {};
  std::vector<Level> all = levels();

  // What all levels together could take, up to 100 %.
  std::uint32_t total = 0;
  for (const Level& level : all) {
    total += level.capacity(level.healthy, overprovisioning_) + level.capacity(level.degraded, overprovisioning_);
  }
  total = std::min(total, 100u);

  bool total_panic = panic_threshold_ > 0;
  for (Level& level : all) {
    // Panic only where the levels together cannot take the load: with too few left to trust what we know of their
    // health, all of them get it.
    const std::size_t usable = level.healthy.size() + level.degraded.size();
    level.panic = total < 100 && 100 * usable < std::size_t{panic_threshold_} * level.all.size();
    total_panic = total_panic && level.panic;
  }

  if (total_panic) {
    for (Level& level : all) {
      level.healthy_load = static_cast<std::uint32_t>(100 * level.all.size() / endpoints_.size());
    }
  } else if (total > 0) {
    // Each level takes what it can, the rest spills to the next; degraded endpoints come after all healthy ones.
    std::uint32_t left = 100;
    for (Level& level : all) {
      level.healthy_load = std::min(left, level.capacity(level.healthy, overprovisioning_) * 100 / total);
      left -= level.healthy_load;
    }
    for (Level& level : all) {
      level.degraded_load = std::min(left, level.capacity(level.degraded, overprovisioning_) * 100 / total);
      left -= level.degraded_load;
    }
  }

  for (Level& level : all) {
    summary_.total += static_cast<std::uint32_t>(level.all.size());
    summary_.healthy += static_cast<std::uint32_t>(level.healthy.size());
    summary_.degraded += static_cast<std::uint32_t>(level.degraded.size());
    const std::uint32_t load = level.healthy_load + level.degraded_load;
    if (level.panic) {
      add_target(load, std::move(level.all), random);
    } else {
      add_target(level.healthy_load, std::move(level.healthy), random);
      add_target(level.degraded_load, std::move(level.degraded), random);
    }
  }
  summary_.panic = !all.empty() && all[0].panic;
  summary_.ejected = static_cast<std::uint32_t>(std::ranges::count_if(endpoints_, [](const LbEndpoint* endpoint) {
    return endpoint->health != nullptr && endpoint->health->ejected.load(std::memory_order_relaxed);
  }));
}

void LoadBalancer::add_target(std::uint32_t load, std::vector<LbEndpoint*> endpoints, Random& random) {
  if (load == 0 || endpoints.empty()) {
    return;
  }
  const std::uint32_t before = targets_.empty() ? 0 : targets_.back().upto;
  targets_.push_back({before + load, make_chooser(std::move(endpoints), random)});
}

std::unique_ptr<Chooser> LoadBalancer::make_chooser(std::vector<LbEndpoint*> endpoints, Random& random) const {
  switch (policy_) {
    case model::LbPolicy::round_robin:
      return make_round_robin(std::move(endpoints), random);
    case model::LbPolicy::least_request:
      return make_least_request(std::move(endpoints), choice_count_);
    case model::LbPolicy::ring_hash:
      return make_ring_hash(endpoints, ring_hash_);
    case model::LbPolicy::maglev:
      return make_maglev(endpoints, maglev_table_size_);
    case model::LbPolicy::random:
      break;
  }
  return make_random(std::move(endpoints));
}

}  // namespace remora::upstream
