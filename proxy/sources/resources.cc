#include "proxy/sources/resources.h"

#include <algorithm>

namespace remora::sources {
namespace {

constexpr std::array<std::string_view, kResourceTypes> kUrls = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
};

}  // namespace

std::string_view type_url(ResourceType type) { return kUrls[static_cast<std::size_t>(type)]; }

std::optional<ResourceType> type_of_url(std::string_view url) {
  const auto* found = std::ranges::find(kUrls, url);
  if (found == kUrls.end()) {
    return std::nullopt;
  }
  return static_cast<ResourceType>(found - kUrls.begin());
}

}  // namespace remora::sources
