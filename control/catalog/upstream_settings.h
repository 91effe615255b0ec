// UpstreamSettings: how a caller's proxy calls one upstream. Written in service-defaults (`upstream_config.defaults`
// and
// `.overrides[]`, of the caller) and in an upstream's own `config`. A value; any thread.
// Source: Consul's structs.UpstreamConfig; developer docs, "service-defaults" and "upstreams[].config".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/catalog/common.h"
#include "control/catalog/extensions.h"

namespace remora::catalog {

struct UpstreamLimits {
  std::optional<std::uint32_t> max_connections;
  std::optional<std::uint32_t> max_pending_requests;
  std::optional<std::uint32_t> max_concurrent_requests;

  bool operator==(const UpstreamLimits&) const = default;
};

struct PassiveHealthCheck {
  std::optional<Nanoseconds> interval;
  std::optional<std::uint32_t> max_failures;
  std::optional<std::uint32_t> enforcing_consecutive_5xx;  // a percentage
  std::optional<std::uint32_t> max_ejection_percent;
  std::optional<Nanoseconds> base_ejection_time;

  bool operator==(const PassiveHealthCheck&) const = default;
};

struct UpstreamSettings {
  Place place;
  std::string name;  // of an override: the called service; else empty
  std::string protocol;
  std::optional<Nanoseconds> connect_timeout;  // connect_timeout_ms
  std::optional<UpstreamLimits> limits;
  std::optional<PassiveHealthCheck> passive_health_check;
  MeshGatewayMode mesh_gateway = MeshGatewayMode::unset;
  bool balance_outbound_connections = false;  // exact_balance
  Extensions extensions;

  bool operator==(const UpstreamSettings&) const = default;
};

}  // namespace remora::catalog
