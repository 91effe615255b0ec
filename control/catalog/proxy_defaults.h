// ProxyDefaults: the config entry `proxy-defaults` (its only name is "global"): what holds for every proxy. A value;
// any thread. Source: Consul's structs.ProxyConfigEntry, AccessLogsConfig.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/catalog/common.h"
#include "control/catalog/service.h"

namespace remora::catalog {

struct AccessLogs {
  enum class Type : std::uint8_t { standard_output, standard_error, file };
  Place place;
  bool enabled = false;
  bool disable_listener_logs = false;
  Type type = Type::standard_output;
  std::string path;  // of a file
  std::string json_format;
  std::string text_format;

  bool operator==(const AccessLogs&) const = default;
};

struct ProxyDefaults {
  EntryHead head;
  ProxySettings config;  // and config.extensions: how every service is called
  // config.allow_unauthenticated: intentions are not enforced, since no proxy proves who it is yet; log, metric and
  // page say so.
  bool allow_unauthenticated = false;
  ProxyMode mode = ProxyMode::unset;
  std::optional<TransparentProxy> transparent_proxy;
  MeshGatewayMode mesh_gateway = MeshGatewayMode::unset;
  Expose expose;
  std::optional<AccessLogs> access_logs;

  bool operator==(const ProxyDefaults&) const = default;
};

}  // namespace remora::catalog
