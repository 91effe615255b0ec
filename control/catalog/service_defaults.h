// ServiceDefaults: the config entry `service-defaults`: what holds for every instance of a service, as the called
// (protocol, limits, timeouts) and as a caller (upstream_config). A value; any thread.
// Source: Consul's structs.ServiceConfigEntry.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/catalog/common.h"
#include "control/catalog/extensions.h"
#include "control/catalog/upstream_settings.h"

namespace remora::catalog {

struct ServiceDefaults {
  EntryHead head;
  std::string protocol;  // tcp, http, http2, grpc; anything else is tcp, as in Consul; empty: proxy-defaults', then tcp
  ProxyMode mode = ProxyMode::unset;
  std::optional<TransparentProxy> transparent_proxy;
  MeshGatewayMode mesh_gateway = MeshGatewayMode::unset;
  Expose expose;
  std::string external_sni;
  // As a caller.
  std::optional<UpstreamSettings> upstream_defaults;
  std::vector<UpstreamSettings> upstream_overrides;  // each names its upstream
  // As the called.
  std::optional<std::uint32_t> max_inbound_connections;
  std::optional<Nanoseconds> local_connect_timeout;
  std::optional<Nanoseconds> local_request_timeout;
  std::string balance_inbound_connections;  // "", "exact_balance"
  Extensions extensions;                    // how others call it

  bool operator==(const ServiceDefaults&) const = default;
};

}  // namespace remora::catalog
