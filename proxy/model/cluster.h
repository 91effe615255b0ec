// Clusters and endpoints: whom we may call, and how. Pure configuration, part of a Snapshot; immutable; any thread.
// Sources: envoy.config.cluster.v3.Cluster, envoy.config.endpoint.v3.ClusterLoadAssignment, and our own
// remora.clusters.consul.v3.ConsulCluster.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"

namespace remora::model {

// envoy.config.endpoint.v3.Endpoint.HealthCheckConfig: where active checks of one endpoint differ
struct HealthCheckTarget {
  std::optional<Address> address;
  std::uint16_t port = 0;  // 0: the address's own
  std::string hostname;    // the Host of HTTP checks
  bool disabled = false;
  friend bool operator==(const HealthCheckTarget&, const HealthCheckTarget&) = default;
};

struct Endpoint {
  enum class Health : std::uint8_t { unknown, healthy, unhealthy, draining, timeout, degraded };
  Address address;
  std::string hostname;
  std::uint32_t weight = 1;
  std::uint32_t priority = 0;
  Health health = Health::unknown;
  std::shared_ptr<const HealthCheckTarget> health_check;  // null: as the cluster says

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// ---- how a cluster's endpoints become known: its discovery ----

// They stand in the cluster itself.
struct StaticDiscovery {
  friend bool operator==(const StaticDiscovery&, const StaticDiscovery&) = default;
};

// A ClusterLoadAssignment from the control plane (or another source) brings them.
struct EdsDiscovery {
  std::string service_name;                    // the assignment's name: eds_cluster_config's, or the cluster's
  Milliseconds initial_fetch_timeout{15'000};  // how long the cluster may warm without one; 0: as long as it takes
  friend bool operator==(const EdsDiscovery&, const EdsDiscovery&) = default;
};

// Names to be resolved. What of the cluster's load_assignment was an address is in Cluster::endpoints already.
struct DnsDiscovery {
  enum class Family : std::uint8_t { automatic, v4_only, v6_only, v4_preferred, all };
  struct Name {
    std::string host;
    std::uint16_t port = 0;
    std::string hostname;  // the endpoint's, for host rewrites
    std::uint32_t weight = 1;
    std::uint32_t priority = 0;
    Endpoint::Health health = Endpoint::Health::unknown;
    std::optional<HealthCheckTarget> health_check = {};  // none: as the cluster says
    friend bool operator==(const Name&, const Name&) = default;
  };
  bool logical = false;  // LOGICAL_DNS: the first address counts; else each address is an endpoint
  Family family = Family::automatic;
  std::vector<Name> names;
  Milliseconds refresh_rate{5000};
  Milliseconds failure_refresh_base{0};  // dns_failure_refresh_rate; 0: refresh_rate
  Milliseconds failure_refresh_max{0};
  Milliseconds jitter{0};
  bool respect_ttl = false;
  std::vector<Address> servers;      // none: the system's
  bool tcp = false;                  // never by UDP
  bool search = true;                // in the system's search domains too
  Milliseconds query_timeout{3000};  // of one try at one server
  std::uint32_t query_tries = 2;
  friend bool operator==(const DnsDiscovery&, const DnsDiscovery&) = default;
};

// The proxy watches Consul: remora.clusters.consul.v3.ConsulCluster.
struct ConsulDiscovery {
  struct Target {
    std::string service;
    std::string datacenter;  // empty: the agent's
    std::vector<std::string> tags;
    std::string filter;  // Consul's filter language
    bool only_passing = true;
    bool connect = false;  // sidecars; the service itself where none is registered
    friend bool operator==(const Target&, const Target&) = default;
  };
  std::vector<Target> targets;  // priority by place: the first is 0; empty with a prepared query
  std::string prepared_query;
  Milliseconds poll_interval{10'000};  // of the prepared query
  std::string near = "_agent";
  Milliseconds hold_empty{30'000};
  friend bool operator==(const ConsulDiscovery&, const ConsulDiscovery&) = default;
};

using Discovery = std::variant<StaticDiscovery, EdsDiscovery, DnsDiscovery, ConsulDiscovery>;

enum class LbPolicy : std::uint8_t { round_robin, least_request, random, ring_hash, maglev };

// envoy.config.cluster.v3.Cluster.RingHashLbConfig
struct RingHash {
  enum class Function : std::uint8_t { xx_hash, murmur_hash_2 };
  std::uint64_t minimum_size = 1024;
  std::uint64_t maximum_size = 8 * 1024 * 1024;
  Function function = Function::xx_hash;
  friend bool operator==(const RingHash&, const RingHash&) = default;
};

// envoy.config.cluster.v3.CircuitBreakers.Thresholds, default priority
struct Thresholds {
  std::uint32_t max_connections = 1024;
  std::uint32_t max_pending_requests = 1024;
  std::uint32_t max_requests = 1024;
  std::uint32_t max_retries = 3;  // only when retry_budget is off
  // The budget is on by default in Remora (Envoy: off): see docs/differences.md.
  double retry_budget_percent = 20.0;  // of active and pending requests
  std::uint32_t min_retry_concurrency = 3;
  bool use_max_retries = false;  // the file sets max_retries and no retry_budget: Envoy's static limit holds too
};

// filter_metadata.remora.breaker: three states, what Envoy has not.
struct Breaker {
  std::uint32_t failure_threshold = 0;  // consecutive failures that open it; 0: off
  Milliseconds recovery_time{10'000};   // open this long, then half-open
  std::uint32_t probes = 3;             // requests let through at once while half-open; as many successes close it
};

// envoy.config.cluster.v3.OutlierDetection, the consecutive kinds
struct OutlierDetection {
  bool enabled = false;
  std::uint32_t consecutive_5xx = 5;              // 0: off
  std::uint32_t enforcing_consecutive_5xx = 100;  // per cent
  std::uint32_t consecutive_gateway_failure = 5;
  std::uint32_t enforcing_consecutive_gateway_failure = 0;
  std::uint32_t consecutive_local_origin_failure = 5;
  std::uint32_t enforcing_consecutive_local_origin_failure = 100;
  std::uint32_t success_rate_minimum_hosts = 5;
  std::uint32_t success_rate_request_volume = 100;
  std::uint32_t success_rate_stdev_factor = 1900;  // thousandths
  std::uint32_t enforcing_success_rate = 100;
  std::uint32_t enforcing_local_origin_success_rate = 100;
  std::uint32_t failure_percentage_minimum_hosts = 5;
  std::uint32_t failure_percentage_request_volume = 50;
  std::uint32_t failure_percentage_threshold = 85;
  std::uint32_t enforcing_failure_percentage = 0;
  std::uint32_t enforcing_failure_percentage_local_origin = 0;
  bool split_external_local_origin_errors = false;
  Milliseconds interval{10'000};
  Milliseconds base_ejection_time{30'000};
  Milliseconds max_ejection_time{300'000};
  Milliseconds max_ejection_time_jitter{0};
  std::uint32_t max_ejection_percent = 10;
  bool always_eject_one_host = false;  // else 10 % of three hosts is none, as in Envoy since 1.32
};

// envoy.config.core.v3.HealthCheck: active checks
struct HealthCheck {
  enum class Kind : std::uint8_t { http, tcp };
  struct Statuses {
    int from = 200;  // [from, end)
    int end = 201;
    friend bool operator==(const Statuses&, const Statuses&) = default;
  };
  Kind kind = Kind::http;
  Milliseconds timeout{0};
  Milliseconds interval{0};
  Milliseconds initial_jitter{0};
  Milliseconds interval_jitter{0};
  std::uint32_t interval_jitter_percent = 0;
  std::uint32_t unhealthy_threshold = 1;
  std::uint32_t healthy_threshold = 1;
  Milliseconds no_traffic_interval{60'000};
  Milliseconds no_traffic_healthy_interval{60'000};  // no_traffic_interval unless said
  Milliseconds unhealthy_interval{0};                // interval unless said
  Milliseconds unhealthy_edge_interval{0};           // unhealthy_interval unless said
  Milliseconds healthy_edge_interval{0};             // interval unless said
  bool reuse_connection = true;
  // http
  std::string host;  // empty: the cluster's name
  std::string path;
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::vector<Statuses> expected_statuses;
  // tcp
  std::string send;                  // empty: nothing
  std::vector<std::string> receive;  // in this order; empty: to be connected is enough
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

struct Cluster {
  std::string name;
  std::string alt_stat_name;  // the metrics' label; the name unless said
  LbPolicy lb_policy = LbPolicy::round_robin;
  std::uint32_t least_request_choice_count = 2;
  RingHash ring_hash;
  std::uint64_t maglev_table_size = 65'537;  // a prime
  bool http2 = false;                        // http2_protocol_options: of those that serve configuration
  std::uint32_t overprovisioning_factor = 140;
  std::uint32_t panic_threshold_percent = 50;  // common_lb_config.healthy_panic_threshold
  Discovery discovery;
  std::vector<Endpoint> endpoints;  // as known now, whatever the discovery
  std::string why_empty;            // from whoever looked for them: why there are none; empty: nobody says
  Milliseconds connect_timeout{5000};
  Milliseconds idle_timeout{3'600'000};           // of a pooled connection; 0: none
  Milliseconds max_connection_duration{0};        // 0: none
  std::uint32_t max_requests_per_connection = 0;  // 0: no limit
  std::uint64_t per_connection_buffer_limit_bytes = 1024 * 1024;
  std::uint32_t max_response_headers_kb = 60;
  std::uint32_t max_response_headers_count = 100;
  Thresholds thresholds;
  Breaker breaker;
  OutlierDetection outlier;
  std::shared_ptr<const HealthCheck> health_check;  // null: none
  struct Keepalive {
    std::uint32_t probes = 0, time_s = 0, interval_s = 0;  // 0: the system's
    bool operator==(const Keepalive&) const = default;
  };
  std::optional<Keepalive> tcp_keepalive;
  std::optional<Address> source_address;  // upstream_bind_config
};

}  // namespace remora::model
