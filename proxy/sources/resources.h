// Resources: what any source of configuration (ADS, REST, a mesh file, snapshots on disk) hands to the SnapshotBuilder:
// named xDS resources of one type, set or gone. Values; main thread.
// Source: envoy.service.discovery.v3.{DiscoveryResponse, DeltaDiscoveryResponse}.
#pragma once

#include <google/protobuf/any.pb.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace remora::sources {

// In the order in which they must be asked for, and applied: make before break.
enum class ResourceType : std::uint8_t { cluster, endpoint, listener, route, secret };
constexpr std::size_t kResourceTypes = 5;

// "type.googleapis.com/envoy.config.cluster.v3.Cluster"
std::string_view type_url(ResourceType type);
std::optional<ResourceType> type_of_url(std::string_view url);

struct Resource {
  std::string name;
  std::string version;         // of this resource (delta), or of its response (state of the world)
  google::protobuf::Any body;  // its type_url says which message
};

// One response. Each resource stands or falls alone: one that is invalid keeps its last good version.
struct ResourceUpdate {
  ResourceType type = ResourceType::cluster;
  std::string version;  // the response's: system_version_info or version_info
  std::vector<Resource> set;
  std::vector<std::string> removed;
  bool whole = false;  // state of the world: a cluster or listener that `set` does not name is gone
};

struct Rejection {
  std::string name;
  std::string reason;  // every error of this resource, with its field path, one a line
};

}  // namespace remora::sources
