// Catalog: every metric that Remora exposes, in one place: name, help, type, labels, and how workers' numbers become
// one. docs/metrics.md says the same to people, and a test holds the two together. Constant; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace remora::metrics {

enum class Type : std::uint8_t { counter, gauge, histogram };
enum class Merge : std::uint8_t { sum, highest };  // over workers

enum class Id : std::uint8_t {
  requests,
  request_duration,
  upstream_duration,
  proxy_duration,
  request_bytes,
  response_bytes,

  downstream_connections,
  downstream_connections_active,
  downstream_requests_active,
  downstream_accept_failures,
  downstream_protocol_errors,
  downstream_received_bytes,
  downstream_sent_bytes,

  tcp_connections,
  tcp_connections_active,
  tcp_connect_retries,
  tcp_received_bytes,
  tcp_sent_bytes,

  upstream_connections,
  upstream_connections_closed,
  upstream_connections_active,
  upstream_connect_failures,
  upstream_pool_reuses,
  upstream_attempts,
  upstream_requests_active,
  upstream_requests_pending,
  upstream_requests_queued,
  upstream_timeouts,
  upstream_retries,
  upstream_retries_succeeded,
  upstream_retries_denied,
  upstream_keepalive_races,
  upstream_overflows,
  upstream_breaker_state,
  upstream_breaker_transitions,
  upstream_ejections,
  upstream_health_checks,
  upstream_endpoints,
  upstream_endpoints_healthy,
  upstream_endpoints_ejected,
  upstream_sent_bytes,
  upstream_received_bytes,

  dns_lookups,
  dns_age,

  access_log_lines,
  access_log_dropped,
  metrics_overflow,
  workers,
  config_version,
  config_update_time,
  intentions_not_enforced,
  discovery_age,
  discovery_failing,
  discovery_holding,
  discovery_skipped,
  config_resources,
  config_resources_update_time,
  config_rejected,
  config_rejected_now,
  config_waiting,
  control_plane_connected,
  control_plane_failures,
  draining,
  build_info,

  process_start_time,
  process_cpu_seconds,
  process_resident_memory,
  process_virtual_memory,
  process_open_fds,
  process_max_fds,
  process_threads,
  count_
};

struct Metric {
  Id id;
  Type type;
  std::string_view name;
  std::string_view help;
  std::array<std::string_view, 5> label_names{};
  Merge merge = Merge::sum;

  std::span<const std::string_view> labels() const {
    std::size_t count = 0;
    while (count < label_names.size() && !label_names[count].empty()) {
      ++count;
    }
    return {label_names.data(), count};
  }
};

std::span<const Metric> catalog();  // in the order of Id
const Metric& metric(Id id);

}  // namespace remora::metrics
