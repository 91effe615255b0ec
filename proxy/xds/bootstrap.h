// load_bootstrap: an Envoy v3 bootstrap, YAML or JSON, into a Snapshot; the proxy's only way to read a file. All errors
// are found in one go, each with its place, its path and what would be right. The main thread, at start.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "core/config/config_error.h"
#include "proxy/model/snapshot.h"
#include "proxy/xds/known_names.h"

namespace remora::xds {

using config::ConfigError;
using config::ConfigErrors;

struct LoadOptions {
  std::string config_yaml;      // --config-yaml: merged over the file as protobuf merges: lists grow, values replace
  std::string service_node;     // --service-node: replaces node.id
  std::string service_cluster;  // --service-cluster: replaces node.cluster
  std::string service_zone;     // --service-zone: replaces node.locality.zone
};

std::expected<std::shared_ptr<const model::Snapshot>, ConfigErrors> load_bootstrap(std::string_view text,
                                                                                   const std::string& file_name,
                                                                                   const LoadOptions& options);

}  // namespace remora::xds
