// Split: which cluster of a route a request goes to. Values only; any thread. Source: Envoy's weighted_clusters,
// cluster_header.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/http/message.h"
#include "proxy/model/route.h"

namespace remora::routing {

struct Destination {
  std::string_view cluster;                          // empty: the cluster_header is absent
  const model::WeightedCluster* weighted = nullptr;  // its header edits and host rewrite; null with cluster_header
};

// `random` as given to RouteTable::match.
Destination split(const model::RouteAction& action, const http::RequestHead& head, std::uint64_t random);

}  // namespace remora::routing
