#include "proxy/routing/split.h"

#include <algorithm>

namespace remora::routing {

Destination split(const model::RouteAction& action, const http::RequestHead& head, std::uint64_t random) {
  if (!action.cluster_header.empty()) {
    if (action.cluster_header == ":authority" || action.cluster_header == "host") {
      return {head.authority, nullptr};
    }
    const http::Header* header = head.headers.find(action.cluster_header);
    return {header == nullptr ? std::string_view() : header->value, nullptr};
  }
  if (action.clusters.size() == 1) {
    return {action.clusters[0].name, &action.clusters[0]};
  }
  std::uint64_t total = action.total_weight;
  if (total == 0) {
    for (const model::WeightedCluster& cluster : action.clusters) {
      total += cluster.weight;
    }
  }
  if (total == 0) {
    return {};
  }
  std::uint64_t selected = random % total;
  for (const model::WeightedCluster& cluster : action.clusters) {
    if (selected < cluster.weight) {
      return {cluster.name, &cluster};
    }
    selected -= cluster.weight;
  }
  return {};  // total_weight says more than the weights' sum: the loader refuses that
}

}  // namespace remora::routing
