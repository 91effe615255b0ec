#include <fmt/format.h>

#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
using remora::clusters::consul::v3::ConsulCluster;
using UpstreamOptions = envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
constexpr const char* kNotYet = "is Envoy's, but not supported by this version of Remora";
constexpr const char* kConsulType = "remora.clusters.consul";
constexpr const char* kUpstreamOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

bool is_prime(std::uint64_t number) {
  for (std::uint64_t i = 2; i * i <= number; ++i) {
    if (number % i == 0) {
      return false;
    }
  }
  return number > 1;
}

void read_hashing(const Scope& scope, const cluster_v3::Cluster& message, model::Cluster& cluster) {
  if (message.has_ring_hash_lb_config()) {
    const auto& from = message.ring_hash_lb_config();
    const Scope at = scope.field("ring_hash_lb_config");
    model::RingHash& to = cluster.ring_hash;
    if (message.lb_policy() != cluster_v3::Cluster::RING_HASH) {
      at.error("is for lb_policy RING_HASH");
    }
    const double most = static_cast<double>(model::RingHash().maximum_size);
    if (from.has_maximum_ring_size()) {
      to.maximum_size = from.maximum_ring_size().value();
      check_range(at.field("maximum_ring_size"), static_cast<double>(to.maximum_size), 1, most);
    }
    if (from.has_minimum_ring_size()) {
      to.minimum_size = from.minimum_ring_size().value();
      check_range(at.field("minimum_ring_size"), static_cast<double>(to.minimum_size), 1, most);
    }
    if (to.minimum_size > to.maximum_size) {
      at.error("minimum_ring_size", fmt::format("must be at most maximum_ring_size, which is {}", to.maximum_size));
    }
    to.function = from.hash_function() == cluster_v3::Cluster::RingHashLbConfig::MURMUR_HASH_2
                      ? model::RingHash::Function::murmur_hash_2
                      : model::RingHash::Function::xx_hash;
  }
  if (message.has_maglev_lb_config()) {
    const Scope at = scope.field("maglev_lb_config");
    if (message.lb_policy() != cluster_v3::Cluster::MAGLEV) {
      at.error("is for lb_policy MAGLEV");
    }
    if (message.maglev_lb_config().has_table_size()) {
      cluster.maglev_table_size = message.maglev_lb_config().table_size().value();
      check_range(at.field("table_size"), static_cast<double>(cluster.maglev_table_size), 2, 5'000'011);
      if (cluster.maglev_table_size <= 5'000'011 && !is_prime(cluster.maglev_table_size)) {
        at.error("table_size", fmt::format("must be a prime, and {} is none", cluster.maglev_table_size));
      }
    }
  }
}

void read_balancing(const Scope& scope, const cluster_v3::Cluster& message, model::Cluster& cluster) {
  switch (message.lb_policy()) {
    case cluster_v3::Cluster::LEAST_REQUEST:
      cluster.lb_policy = model::LbPolicy::least_request;
      break;
    case cluster_v3::Cluster::RANDOM:
      cluster.lb_policy = model::LbPolicy::random;
      break;
    case cluster_v3::Cluster::RING_HASH:
      cluster.lb_policy = model::LbPolicy::ring_hash;
      break;
    case cluster_v3::Cluster::MAGLEV:
      cluster.lb_policy = model::LbPolicy::maglev;
      break;
    default:
      cluster.lb_policy = model::LbPolicy::round_robin;
  }
  if (message.has_least_request_lb_config()) {
    const Scope at = scope.field("least_request_lb_config");
    if (message.lb_policy() != cluster_v3::Cluster::LEAST_REQUEST) {
      at.error("is for lb_policy LEAST_REQUEST");
    }
    if (message.least_request_lb_config().has_choice_count()) {
      cluster.least_request_choice_count = message.least_request_lb_config().choice_count().value();
      if (cluster.least_request_choice_count < 2) {
        at.error("choice_count", "must be at least 2");
      }
    }
  }
  read_hashing(scope, message, cluster);
  if (message.common_lb_config().has_healthy_panic_threshold()) {
    const double threshold = message.common_lb_config().healthy_panic_threshold().value();
    const Scope at = scope.field("common_lb_config");
    check_range(at.field("healthy_panic_threshold"), threshold, 0, 100);
    cluster.panic_threshold_percent = static_cast<std::uint32_t>(std::min(std::max(threshold, 0.0), 100.0));
  }
}

void read_common(const Scope& scope, const core_v3::HttpProtocolOptions& message, model::Cluster& cluster) {
  if (message.has_idle_timeout()) {
    cluster.idle_timeout = read_duration(scope.field("idle_timeout"), message.idle_timeout());
  }
  if (message.has_max_connection_duration()) {
    cluster.max_connection_duration =
        read_duration(scope.field("max_connection_duration"), message.max_connection_duration());
  }
  if (message.has_max_headers_count()) {
    cluster.max_response_headers_count = message.max_headers_count().value();
    check_range(scope.field("max_headers_count"), cluster.max_response_headers_count, 1, 4'294'967'295.0);
  }
  if (message.has_max_response_headers_kb()) {
    cluster.max_response_headers_kb = message.max_response_headers_kb().value();
    check_range(scope.field("max_response_headers_kb"), cluster.max_response_headers_kb, 1, 8192);
  }
  if (message.has_max_requests_per_connection()) {
    cluster.max_requests_per_connection = message.max_requests_per_connection().value();
  }
  if (message.headers_with_underscores_action() != core_v3::HttpProtocolOptions::ALLOW) {
    scope.error("headers_with_underscores_action", "is of listeners");
  }
}

// Our gRPC client speaks HTTP/2 to whoever serves configuration.
bool serves(const cluster_v3::Cluster& message, const Environment& environment) {
  return environment.serving != nullptr && environment.serving->contains(message.name());
}

void read_extensions(const Scope& list, const cluster_v3::Cluster& message, const Environment& environment,
                     model::Cluster& cluster) {
  for (const auto& [name, any] : message.typed_extension_protocol_options()) {
    const Scope at = list.field(name);
    UpstreamOptions options;
    if (name != kUpstreamOptions || !unpack_any(any, options)) {
      at.error(fmt::format("only {} is supported here", kUpstreamOptions));
      continue;
    }
    if (options.upstream_protocol_options_case() == UpstreamOptions::UPSTREAM_PROTOCOL_OPTIONS_NOT_SET) {
      at.error("one of explicit_http_config, use_downstream_protocol_config is required");
    } else if (options.explicit_http_config().has_http2_protocol_options() && !serves(message, environment)) {
      const Scope explicit_config = at.field("explicit_http_config");
      explicit_config.error("http2_protocol_options", kNotYet);
    } else if (options.has_explicit_http_config() && !options.explicit_http_config().has_http_protocol_options() &&
               !options.explicit_http_config().has_http2_protocol_options()) {
      const Scope explicit_config = at.field("explicit_http_config");
      explicit_config.error("http_protocol_options", "is required");
    }
    read_common(at.field("common_http_protocol_options"), options.common_http_protocol_options(), cluster);
  }
}

void read_thresholds(const Scope& scope, const cluster_v3::CircuitBreakers& message, model::Thresholds& to) {
  const Scope list = scope.field("thresholds");
  if (message.thresholds_size() > 1) {
    list.error("one entry is supported by this version of Remora, of priority DEFAULT");
  }
  if (message.thresholds_size() == 0) {
    return;
  }
  const auto& from = message.thresholds(0);
  const Scope at = list.item(0);
  const auto set = [](bool has, const pb::UInt32Value& value, std::uint32_t& target) {
    if (has) {
      target = value.value();
    }
  };
  set(from.has_max_connections(), from.max_connections(), to.max_connections);
  set(from.has_max_pending_requests(), from.max_pending_requests(), to.max_pending_requests);
  set(from.has_max_requests(), from.max_requests(), to.max_requests);
  set(from.has_max_retries(), from.max_retries(), to.max_retries);
  to.use_max_retries = from.has_max_retries() && !from.has_retry_budget();
  const auto& budget = from.retry_budget();
  set(budget.has_min_retry_concurrency(), budget.min_retry_concurrency(), to.min_retry_concurrency);
  if (budget.has_budget_percent()) {
    to.retry_budget_percent = budget.budget_percent().value();
    const Scope budget_scope = at.field("retry_budget");
    check_range(budget_scope.field("budget_percent"), to.retry_budget_percent, 0, 100);
  }
}

// Of outlier detection, what compares the endpoints' success rates.
void read_rates(const Scope& scope, const cluster_v3::OutlierDetection& message, model::OutlierDetection& to) {
  const auto count = [](bool has, const pb::UInt32Value& value, std::uint32_t& target) {
    target = has ? value.value() : target;
  };
  const auto percent = [&](bool has, std::string_view name, const pb::UInt32Value& value, std::uint32_t& target) {
    count(has, value, target);
    check_range(scope.field(name), target, 0, 100);
  };
  count(message.has_success_rate_minimum_hosts(), message.success_rate_minimum_hosts(), to.success_rate_minimum_hosts);
  count(message.has_success_rate_request_volume(), message.success_rate_request_volume(),
        to.success_rate_request_volume);
  count(message.has_success_rate_stdev_factor(), message.success_rate_stdev_factor(), to.success_rate_stdev_factor);
  count(message.has_failure_percentage_minimum_hosts(), message.failure_percentage_minimum_hosts(),
        to.failure_percentage_minimum_hosts);
  count(message.has_failure_percentage_request_volume(), message.failure_percentage_request_volume(),
        to.failure_percentage_request_volume);
  percent(message.has_failure_percentage_threshold(), "failure_percentage_threshold",
          message.failure_percentage_threshold(), to.failure_percentage_threshold);
  percent(message.has_enforcing_success_rate(), "enforcing_success_rate", message.enforcing_success_rate(),
          to.enforcing_success_rate);
  percent(message.has_enforcing_local_origin_success_rate(), "enforcing_local_origin_success_rate",
          message.enforcing_local_origin_success_rate(), to.enforcing_local_origin_success_rate);
  percent(message.has_enforcing_failure_percentage(), "enforcing_failure_percentage",
          message.enforcing_failure_percentage(), to.enforcing_failure_percentage);
  percent(message.has_enforcing_failure_percentage_local_origin(), "enforcing_failure_percentage_local_origin",
          message.enforcing_failure_percentage_local_origin(), to.enforcing_failure_percentage_local_origin);
}

void read_outlier(const Scope& scope, const cluster_v3::OutlierDetection& message, model::OutlierDetection& to) {
  to.enabled = true;
  const auto count = [](bool has, const pb::UInt32Value& value, std::uint32_t& target) {
    if (has) {
      target = value.value();
    }
  };
  const auto percent = [&](bool has, std::string_view name, const pb::UInt32Value& value, std::uint32_t& target) {
    if (has) {
      target = value.value();
      check_range(scope.field(name), target, 0, 100);
    }
  };
  const auto time = [&](bool has, std::string_view name, const pb::Duration& value, Milliseconds& target) {
    if (has) {
      target = read_duration(scope.field(name), value, Sign::positive);
    }
  };
  count(message.has_consecutive_5xx(), message.consecutive_5xx(), to.consecutive_5xx);
  count(message.has_consecutive_gateway_failure(), message.consecutive_gateway_failure(),
        to.consecutive_gateway_failure);
  count(message.has_consecutive_local_origin_failure(), message.consecutive_local_origin_failure(),
        to.consecutive_local_origin_failure);
  percent(message.has_enforcing_consecutive_5xx(), "enforcing_consecutive_5xx", message.enforcing_consecutive_5xx(),
          to.enforcing_consecutive_5xx);
  percent(message.has_enforcing_consecutive_gateway_failure(), "enforcing_consecutive_gateway_failure",
          message.enforcing_consecutive_gateway_failure(), to.enforcing_consecutive_gateway_failure);
  percent(message.has_enforcing_consecutive_local_origin_failure(), "enforcing_consecutive_local_origin_failure",
          message.enforcing_consecutive_local_origin_failure(), to.enforcing_consecutive_local_origin_failure);
  percent(message.has_max_ejection_percent(), "max_ejection_percent", message.max_ejection_percent(),
          to.max_ejection_percent);
  to.split_external_local_origin_errors = message.split_external_local_origin_errors();
  time(message.has_interval(), "interval", message.interval(), to.interval);
  time(message.has_base_ejection_time(), "base_ejection_time", message.base_ejection_time(), to.base_ejection_time);
  to.max_ejection_time = std::max(to.max_ejection_time, to.base_ejection_time);
  time(message.has_max_ejection_time(), "max_ejection_time", message.max_ejection_time(), to.max_ejection_time);
  if (to.max_ejection_time < to.base_ejection_time) {
    scope.error("max_ejection_time", "must not be shorter than base_ejection_time");
  }
  if (message.has_max_ejection_time_jitter()) {
    to.max_ejection_time_jitter =
        read_duration(scope.field("max_ejection_time_jitter"), message.max_ejection_time_jitter());
  }
  to.always_eject_one_host = message.always_eject_one_host().value();
  read_rates(scope, message, to);
}

void read_connection(const Scope& scope, const cluster_v3::Cluster& message, model::Cluster& cluster) {
  if (message.has_connect_timeout()) {
    cluster.connect_timeout = read_duration(scope.field("connect_timeout"), message.connect_timeout(), Sign::positive);
  }
  if (message.has_per_connection_buffer_limit_bytes()) {
    cluster.per_connection_buffer_limit_bytes = message.per_connection_buffer_limit_bytes().value();
  }
  if (message.has_max_requests_per_connection()) {
    cluster.max_requests_per_connection = message.max_requests_per_connection().value();
  }
  if (message.upstream_connection_options().has_tcp_keepalive()) {
    const auto& keepalive = message.upstream_connection_options().tcp_keepalive();
    cluster.tcp_keepalive = {keepalive.keepalive_probes().value(), keepalive.keepalive_time().value(),
                             keepalive.keepalive_interval().value()};
  }
  if (message.has_upstream_bind_config()) {
    const Scope at = scope.field("upstream_bind_config");
    if (message.upstream_bind_config().has_source_address()) {
      const core_v3::SocketAddress& source = message.upstream_bind_config().source_address();
      Result<Address> parsed = Address::parse(source.address(), static_cast<std::uint16_t>(source.port_value()));
      const Scope source_scope = at.field("source_address");
      check_range(source_scope.field("port_value"), source.port_value(), 0, 65535);
      if (parsed) {
        cluster.source_address = *parsed;
      } else {
        source_scope.error("address", parsed.error().message);
      }
    }
  }
}

void read_eds(const Scope& scope, const cluster_v3::Cluster& message, const Environment& environment,
              model::Cluster& cluster, std::optional<Reference>& eds) {
  const auto& config = message.eds_cluster_config();
  const Scope at = scope.field("eds_cluster_config");
  const Scope source = at.field("eds_config");
  if (!config.has_eds_config()) {
    source.error("is required for a cluster of type EDS");
    return;
  }
  if (message.has_load_assignment()) {
    scope.error("load_assignment", "is not for a cluster of type EDS: its endpoints come by eds_config");
  }
  eds.emplace();
  eds->name = config.service_name().empty() ? message.name() : config.service_name();
  eds->source = read_config_source(source, config.eds_config(), environment);
  cluster.discovery = model::EdsDiscovery{eds->name, eds->source.initial_fetch_timeout};
}

void read_custom_type(const Scope& scope, const cluster_v3::Cluster::CustomClusterType& message,
                      model::Cluster& cluster) {
  ConsulCluster consul;
  const Scope config = scope.field("typed_config");
  if (message.name() != kConsulType) {
    scope.error("name", fmt::format("'{}' is not supported: there is {}", message.name(), kConsulType));
  } else if (!unpack_any(message.typed_config(), consul)) {
    config.error(fmt::format("{} is expected here", consul.GetDescriptor()->full_name()));
  } else {
    cluster.discovery = read_consul_cluster(config, consul);
  }
}

void read_discovery(const Scope& scope, const cluster_v3::Cluster& message, const Environment& environment,
                    model::Cluster& cluster, std::optional<Reference>& eds) {
  using Cluster = cluster_v3::Cluster;
  if (message.has_cluster_type()) {
    read_custom_type(scope.field("cluster_type"), message.cluster_type(), cluster);
    return;
  }
  if (message.has_eds_cluster_config() && message.type() != Cluster::EDS) {
    scope.error("eds_cluster_config", "is for a cluster of type EDS");
  }
  if (message.type() == Cluster::EDS) {
    read_eds(scope, message, environment, cluster, eds);
    return;
  }
  std::optional<model::DnsDiscovery> dns;
  if (message.type() == Cluster::STRICT_DNS || message.type() == Cluster::LOGICAL_DNS) {
    dns.emplace().logical = message.type() == Cluster::LOGICAL_DNS;
    read_dns(scope, message, *dns);
  }
  if (message.has_load_assignment()) {
    const Scope at = scope.field("load_assignment");
    Endpoints read = read_endpoints(at, message.load_assignment(), dns ? &*dns : nullptr);
    cluster.endpoints = std::move(read.endpoints);
    cluster.overprovisioning_factor = read.overprovisioning_factor.value_or(cluster.overprovisioning_factor);
    if (dns && dns->logical && cluster.endpoints.size() + dns->names.size() != 1) {
      at.error("endpoints", fmt::format("a LOGICAL_DNS cluster has one endpoint, not {}",
                                        cluster.endpoints.size() + dns->names.size()));
    }
  }
  if (dns && !dns->names.empty()) {
    cluster.discovery = std::move(*dns);
  }
}

}  // namespace

std::shared_ptr<const model::Cluster> read_cluster(const Scope& scope, const cluster_v3::Cluster& message,
                                                   const Environment& environment, std::optional<Reference>& eds) {
  auto result = std::make_shared<model::Cluster>();
  require(scope, "name", message.name());
  result->name = message.name();
  result->alt_stat_name = message.alt_stat_name().empty() ? message.name() : message.alt_stat_name();
  if (message.health_checks_size() > 0) {
    const Scope checks = scope.field("health_checks");
    if (message.health_checks_size() > 1) {
      checks.error("one health check is supported, as in Envoy");
    }
    result->health_check = read_health_check(checks.item(0), message.health_checks(0));
  }
  read_connection(scope, message, *result);
  read_balancing(scope, message, *result);
  read_discovery(scope, message, environment, *result, eds);
  read_common(scope.field("common_http_protocol_options"), message.common_http_protocol_options(), *result);
  read_extensions(scope.field("typed_extension_protocol_options"), message, environment, *result);
  read_thresholds(scope.field("circuit_breakers"), message.circuit_breakers(), result->thresholds);
  if (message.has_outlier_detection()) {
    read_outlier(scope.field("outlier_detection"), message.outlier_detection(), result->outlier);
  }
  result->http2 = message.has_http2_protocol_options();
  if (result->http2 && !serves(message, environment)) {
    scope.error("http2_protocol_options", kNotYet);
  }
  result->breaker = read_breaker(scope.field("metadata"), message.metadata());
  return result;
}

}  // namespace remora::xds
