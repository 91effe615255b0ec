// A mesh file's `sidecar_service`, in snake_case or CamelCase, as Consul's API takes it: CamelCase JSON. Pure
// functions; any thread. Source: Consul's API documentation, /v1/agent/service/register (Connect.SidecarService).
#pragma once

#include <string>

#include "core/config/yaml_tree.h"

namespace remora::consul {

struct SidecarOf {
  std::string id;       // of the service
  std::string address;  // empty: the agent's node's
};

// REQUIRES: a mapping. Keys of mappings that hold somebody's own names (config, meta, header, tagged_addresses) stay as
// they are. A port without checks gets those that Consul would give it.
std::string sidecar_json(const config::YamlNode& sidecar, const SidecarOf& service);

}  // namespace remora::consul
