// Extensions: what Consul has no word for, out of the opaque `config` maps, typed, under Envoy's names where Envoy has
// one. docs/mesh_file.md has the table: which key, where, what it does. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/catalog/place.h"
#include "core/base/time.h"

namespace remora::catalog {

// `fault`. Source: envoy.extensions.filters.http.fault.v3.HTTPFault. Percentages are 0 to 100, to the millionth.
struct Fault {
  Place place;
  std::optional<Nanoseconds> delay;  // fixed_delay
  double delay_percentage = 0;
  std::optional<std::uint32_t> abort_http_status;
  double abort_percentage = 0;
  std::optional<std::uint32_t> max_active_faults;

  bool operator==(const Fault&) const = default;
};

// One of `request_mirror_policies`. Source: envoy.config.route.v3.RouteAction.RequestMirrorPolicy.
struct Mirror {
  Place place;
  std::string service;
  std::string service_subset;
  double percentage = 100;  // runtime_fraction

  bool operator==(const Mirror&) const = default;
};

// `retry_budget`. Source: envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget.
struct RetryBudget {
  Place place;
  std::optional<double> budget_percent;
  std::optional<std::uint32_t> min_retry_concurrency;

  bool operator==(const RetryBudget&) const = default;
};

// `breaker`, our three-state breaker: filter_metadata.remora.breaker of a cluster (docs/xds_subset.md).
struct Breaker {
  Place place;
  std::optional<std::uint32_t> failure_threshold;
  std::optional<Nanoseconds> recovery_time;
  std::optional<std::uint32_t> probes;

  bool operator==(const Breaker&) const = default;
};

// `retry_policy`: what service-router cannot say of retries. Source: envoy.config.route.v3.RetryPolicy.
struct RetryTuning {
  Place place;
  std::optional<Nanoseconds> per_try_timeout;
  std::optional<Nanoseconds> base_interval;  // retry_back_off
  std::optional<Nanoseconds> max_interval;
  std::optional<bool> retry_non_idempotent;  // filter_metadata.remora of a route

  bool operator==(const RetryTuning&) const = default;
};

// `discovery`: how a service's endpoints are found in Consul. Source: remora.clusters.consul.v3.ConsulCluster.
struct DiscoverySettings {
  Place place;
  std::optional<Nanoseconds> hold_empty;  // after an outage, how long an answer without instances is not believed

  bool operator==(const DiscoverySettings&) const = default;
};

// How a service is called. In `config` of: proxy-defaults (for all), service-defaults of the called service, a route of
// its service-router (the first three), the caller's proxy, an upstream of the caller; the later of these wins, key by
// key. Where Consul refuses the key `config` (service-defaults), the same mapping as YAML or JSON in `meta: {remora:
// …}`.
struct Extensions {
  // of a route
  std::optional<Fault> fault;
  std::optional<std::vector<Mirror>> request_mirror_policies;
  std::optional<RetryTuning> retry_policy;
  // of a cluster
  std::optional<RetryBudget> retry_budget;
  std::optional<Breaker> breaker;
  std::optional<DiscoverySettings> discovery;

  bool operator==(const Extensions&) const = default;
};

}  // namespace remora::catalog
