// read_bootstrap: an Envoy v3 bootstrap, YAML or JSON, into the model; the proxy's only way to read a file. All errors
// are found in one go, each with its place, its path and what would be right. The main thread, at start.
#pragma once

#include <expected>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config_error.h"
#include "proxy/model/snapshot.h"
#include "proxy/xds/known_names.h"
#include "proxy/xds/resources.h"

namespace remora::xds {

using config::ConfigError;
using config::ConfigErrors;

struct LoadOptions {
  std::string config_yaml;      // --config-yaml: merged over the file as protobuf merges: lists grow, values replace
  std::string service_node;     // --service-node: replaces node.id
  std::string service_cluster;  // --service-cluster: replaces node.cluster
  std::string service_zone;     // --service-zone: replaces node.locality.zone
  std::string version;          // node.user_agent_version, where the file names no user agent
};

// What the file says, and what it leaves to others.
struct Bootstrap {
  // Of what is static, what needs nothing else; all of it when there are no dynamic resources.
  std::shared_ptr<const model::Snapshot> snapshot;
  std::vector<ClusterResource> clusters;    // static, in order
  std::vector<ListenerResource> listeners;  // static, in order
  std::set<std::string> control_clusters;   // that may serve resources
  ConfigSource ads, lds, cds;               // of kind none where the file has none
  std::string node;                         // envoy.config.core.v3.Node's bytes, for whom we ask

  bool dynamic() const;  // something comes from elsewhere
};

std::expected<Bootstrap, ConfigErrors> read_bootstrap(std::string_view text, const std::string& file_name,
                                                      const LoadOptions& options);

// Its snapshot alone.
std::expected<std::shared_ptr<const model::Snapshot>, ConfigErrors> load_bootstrap(std::string_view text,
                                                                                   const std::string& file_name,
                                                                                   const LoadOptions& options);

}  // namespace remora::xds
