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

void ActiveChecks::check(const model::Snapshot& snapshot, upstream::SharedState& shared) {
  std::vector<upstream::CheckedCluster> checked;
  for (const auto& [name, config] : snapshot.clusters) {
    if (!config->health_check) {
      continue;
    }
    const std::shared_ptr<upstream::ClusterShared> cluster = shared.cluster(config);
    upstream::CheckedCluster& to = checked.emplace_back();
    to.config = config;
    to.generation = {cluster, &cluster->health_generation};
    for (const auto& endpoint : cluster->endpoints) {
      to.endpoints.emplace_back(endpoint, &endpoint->health);
    }
    to.has_traffic = [cluster] {
      return std::ranges::any_of(cluster->endpoints, [](const auto& endpoint) {
        return std::ranges::any_of(endpoint->cells,
                                   [](const auto& cells) { return cells.connections_total.value() > 0; });
      });
    };
  }
  checker_.check(checked);
}

}  // namespace remora::proxy
