#include "proxy/active_checks.h"

#include <algorithm>
#include <utility>

namespace remora::proxy {

ActiveChecks::ActiveChecks(LibeventLoop& loop, metrics::WorkerMetrics& metrics, std::uint64_t seed,
                           upstream::ClusterLog log)
    : network_(loop),
      random_(seed),
      checker_({.connections = {loop, blocks_, scratch_},
                .network = network_,
                .random = random_,
                .metrics = metrics,
                .log = std::move(log)}) {}

bool ActiveChecks::wanted(const model::Snapshot& snapshot) {
  return std::ranges::any_of(snapshot.clusters, [](const auto& each) { return each.second->health_check != nullptr; });
}

void ActiveChecks::check(const std::vector<std::shared_ptr<const upstream::PreparedCluster>>& clusters) {
  std::vector<upstream::CheckedCluster> checked;
  for (const auto& cluster : clusters) {
    if (!cluster->config->health_check) {
      continue;
    }
    upstream::CheckedCluster& to = checked.emplace_back();
    to.config = cluster->config;
    to.generation = {cluster->shared, &cluster->shared->health_generation};
    for (const auto& endpoint : cluster->endpoints) {
      to.endpoints.emplace_back(endpoint, &endpoint->health);
    }
    to.has_traffic = [cluster] {
      return std::ranges::any_of(cluster->endpoints, [](const auto& endpoint) {
        bool any = false;
        endpoint->for_each_cells([&](const auto& cells) { any = any || cells.connections_total.value() > 0; });
        return any;
      });
    };
  }
  checker_.check(checked);
}

}  // namespace remora::proxy
