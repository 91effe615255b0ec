#include "proxy/upstream/cluster_shared.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

namespace remora::upstream {
namespace {

std::string words(const std::string& cluster, const OutlierDetector::Event& event) {
  using What = OutlierDetector::Event::What;
  switch (event.what) {
    case What::ejected:
      return fmt::format("cluster '{}': endpoint {} is ejected: {}", cluster, event.endpoint.name,
                         OutlierDetector::name(event.kind));
    case What::not_enforced:
      return fmt::format("cluster '{}': endpoint {} would be ejected ({}), but enforcing is below 100 %", cluster,
                         event.endpoint.name, OutlierDetector::name(event.kind));
    case What::overflow:
      return fmt::format("cluster '{}': endpoint {} fails ({}), but max_ejection_percent allows no more ejections",
                         cluster, event.endpoint.name, OutlierDetector::name(event.kind));
    case What::unejected:
      break;
  }
  return fmt::format("cluster '{}': endpoint {} is back", cluster, event.endpoint.name);
}

std::vector<std::shared_ptr<EndpointHealth>> health_of(const std::vector<std::shared_ptr<EndpointShared>>& endpoints) {
  std::vector<std::shared_ptr<EndpointHealth>> health;
  health.reserve(endpoints.size());
  for (const auto& endpoint : endpoints) {
    health.emplace_back(endpoint, &endpoint->health);
  }
  return health;
}

// An endpoint is the same as long as its address is: by the bytes of it.
struct ByAddress {
  std::size_t operator()(const Address* address) const {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(address->data()), address->size()});
  }
  bool operator()(const Address* a, const Address* b) const { return *a == *b; }
};

}  // namespace

ClusterShared::ClusterShared(const model::Cluster& config, ClusterLog log_in, EventLog* connections_in)
    : name(config.name),
      log(std::move(log_in)),
      connections(connections_in),
      limits(config.thresholds),
      breaker(
          config.breaker,
          [this](Breaker::State from, Breaker::State to, std::string_view why) {
            breaker_entered[static_cast<std::size_t>(to)].fetch_add(1, std::memory_order_relaxed);
            if (log) {
              log(fmt::format("cluster '{}': breaker {} -> {}: {}", name, Breaker::name(from), Breaker::name(to), why));
            }
          }),
      outliers(config.outlier, health_generation, [this](const OutlierDetector::Event& event) {
        if (log) {
          log(words(name, event));
        }
      }) {}

std::vector<std::shared_ptr<const PreparedCluster>> SharedState::prepare(const model::Snapshot& snapshot) {
  ++round_;
  std::vector<std::shared_ptr<const PreparedCluster>> all;
  all.reserve(snapshot.cluster_order.size());
  for (const std::string& name : snapshot.cluster_order) {
    Slot& slot = by_name_[name];
    slot.seen = round_;
    all.push_back(prepare(slot, snapshot.clusters.at(name)));
  }
  for (auto& [name, slot] : by_name_) {
    if (slot.seen != round_) {
      forget(slot);
    }
  }
  std::erase_if(by_name_, [](const auto& each) { return !each.second.now && each.second.shared.expired(); });
  return all;
}

std::shared_ptr<const PreparedCluster> SharedState::prepare(Slot& slot,
                                                            const std::shared_ptr<const model::Cluster>& config) {
  if (slot.now && slot.now->config == config) {
    return slot.now;
  }
  auto next = std::make_shared<PreparedCluster>();
  next->config = config;
  next->shared = slot.now ? slot.now->shared : slot.shared.lock();
  const bool is_new = !next->shared;
  if (is_new) {
    next->shared = std::make_shared<ClusterShared>(*config, log_, connections_);
  }
  next->endpoints = reconcile(slot, *config);
  ClusterShared& shared = *next->shared;
  if (!is_new) {
    shared.limits.reconfigure(config->thresholds);
    shared.breaker.reconfigure(config->breaker);
  }
  shared.outliers.reconfigure(config->outlier, health_of(next->endpoints));
  slot.shared = next->shared;
  slot.now = next;
  return next;
}

// Each endpoint that was there before under its address, and new ones; those that are not wanted any more are noted.
std::vector<std::shared_ptr<EndpointShared>> SharedState::reconcile(Slot& slot, const model::Cluster& config) const {
  std::unordered_multimap<const Address*, std::shared_ptr<EndpointShared>, ByAddress, ByAddress> known;
  if (slot.now) {
    known.reserve(slot.now->endpoints.size());
    for (const auto& endpoint : slot.now->endpoints) {
      known.emplace(&endpoint->address, endpoint);
    }
  }
  for (const auto& weak : slot.left) {
    if (auto endpoint = weak.lock()) {
      const Address* address = &endpoint->address;
      known.emplace(address, std::move(endpoint));
    }
  }
  std::vector<std::shared_ptr<EndpointShared>> endpoints;
  endpoints.reserve(config.endpoints.size());
  for (const model::Endpoint& endpoint : config.endpoints) {
    // An address that is listed twice is two endpoints, as it is to the load balancer.
    if (const auto found = known.find(&endpoint.address); found != known.end()) {
      endpoints.push_back(std::move(found->second));
      known.erase(found);
    } else {
      endpoints.push_back(std::make_shared<EndpointShared>(endpoint.address, workers_));
    }
  }
  slot.left.clear();
  for (const auto& [address, endpoint] : known) {
    slot.left.push_back(endpoint);
  }
  return endpoints;
}

void SharedState::forget(Slot& slot) {
  if (!slot.now) {
    return;
  }
  slot.left.insert(slot.left.end(), slot.now->endpoints.begin(), slot.now->endpoints.end());
  slot.now.reset();
}

std::shared_ptr<const PreparedCluster> SharedState::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.now;
}

}  // namespace remora::upstream
