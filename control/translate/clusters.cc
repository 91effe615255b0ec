#include "control/translate/clusters.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/translate/exposed.h"
#include "control/translate/health_checks.h"
#include "control/translate/members.h"
#include "control/translate/protos.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "remora/clusters/consul/v3/consul.pb.h"

namespace remora::translate {
namespace {

namespace consul_v3 = remora::clusters::consul::v3;
using Cluster = cluster_v3::Cluster;
using Endpoints = ProxyIdentity::Endpoints;

constexpr Nanoseconds kConnectTimeout = Seconds(5);

void add_member(const catalog::Catalog& catalog, const Member& member, endpoint_v3::LocalityLbEndpoints& group,
                HealthChecks& checks) {
  endpoint_v3::LbEndpoint& to = *group.add_lb_endpoints();
  endpoint_v3::Endpoint& endpoint = *to.mutable_endpoint();
  if (!member.socket_path.empty()) {
    endpoint.mutable_address()->mutable_pipe()->set_path(member.socket_path);
  } else {
    set_address(*endpoint.mutable_address(), member.address, member.port);
    if (!is_ip(member.address)) {
      endpoint.set_hostname(member.address);
    }
  }
  if (member.weight != 1) {
    to.mutable_load_balancing_weight()->set_value(std::max(1U, member.weight));
  }
  if (!catalog.complete) {
    const bool up = member.health == catalog::Health::passing && member.weight > 0;
    to.set_health_status(up ? core_v3::HEALTHY : core_v3::UNHEALTHY);
  } else {
    checks.add(member, endpoint);
  }
}

// The endpoints, and the check that those of a mesh file are given.
endpoint_v3::ClusterLoadAssignment assignment(const catalog::Catalog& catalog, const Destination& destination,
                                              const std::string& name, HealthChecks& checks, Problems& problems) {
  endpoint_v3::ClusterLoadAssignment result;
  result.set_cluster_name(name);
  const auto add_group = [&](const Target& target, std::uint32_t priority) {
    const auto members = members_of(catalog, target, problems);
    if (members.empty()) {
      return false;
    }
    endpoint_v3::LocalityLbEndpoints& group = *result.add_endpoints();
    group.set_priority(priority);
    for (const Member& member : members) {
      add_member(catalog, member, group, checks);
    }
    return true;
  };
  // Priorities have no gaps.
  std::uint32_t priority = 0;
  priority += add_group(destination.target, priority) ? 1 : 0;
  for (const Target& target : destination.failover) {
    priority += add_group(target, priority) ? 1 : 0;
  }
  if (!destination.failover.empty()) {
    // As Consul: the next one serves when nobody of the one before does, not in proportion.
    result.mutable_policy()->mutable_overprovisioning_factor()->set_value(100'000);
  }
  return result;
}

void set_balancer(const catalog::ServiceResolver* resolver, Cluster& to) {
  using Policy = catalog::LoadBalancer::Policy;
  if (resolver == nullptr || !resolver->load_balancer) {
    return;
  }
  const catalog::LoadBalancer& balancer = *resolver->load_balancer;
  switch (balancer.policy) {
    case Policy::random:
      to.set_lb_policy(Cluster::RANDOM);
      break;
    case Policy::least_request:
      to.set_lb_policy(Cluster::LEAST_REQUEST);
      if (balancer.choice_count) {
        to.mutable_least_request_lb_config()->mutable_choice_count()->set_value(*balancer.choice_count);
      }
      break;
    case Policy::ring_hash:
      to.set_lb_policy(Cluster::RING_HASH);
      if (balancer.minimum_ring_size) {
        to.mutable_ring_hash_lb_config()->mutable_minimum_ring_size()->set_value(*balancer.minimum_ring_size);
      }
      if (balancer.maximum_ring_size) {
        to.mutable_ring_hash_lb_config()->mutable_maximum_ring_size()->set_value(*balancer.maximum_ring_size);
      }
      break;
    case Policy::maglev:
      to.set_lb_policy(Cluster::MAGLEV);
      break;
    case Policy::round_robin:
    case Policy::unset:
      break;
  }
}

void set_limits(const CallSettings& settings, const catalog::Extensions& extensions, Cluster& to) {
  const catalog::UpstreamLimits& limits = settings.limits;
  if (limits.max_connections || limits.max_pending_requests || limits.max_concurrent_requests ||
      extensions.retry_budget) {
    auto& thresholds = *to.mutable_circuit_breakers()->add_thresholds();
    if (limits.max_connections) {
      thresholds.mutable_max_connections()->set_value(*limits.max_connections);
    }
    if (limits.max_pending_requests) {
      thresholds.mutable_max_pending_requests()->set_value(*limits.max_pending_requests);
    }
    if (limits.max_concurrent_requests) {
      thresholds.mutable_max_requests()->set_value(*limits.max_concurrent_requests);
    }
    if (extensions.retry_budget) {
      auto& budget = *thresholds.mutable_retry_budget();
      if (extensions.retry_budget->budget_percent) {
        budget.mutable_budget_percent()->set_value(*extensions.retry_budget->budget_percent);
      }
      if (extensions.retry_budget->min_retry_concurrency) {
        budget.mutable_min_retry_concurrency()->set_value(*extensions.retry_budget->min_retry_concurrency);
      }
    }
  }
  if (extensions.breaker) {
    pb::Struct& breaker =
        *(*remora_settings(*to.mutable_metadata()).mutable_fields())["breaker"].mutable_struct_value();
    if (extensions.breaker->failure_threshold) {
      set_number(breaker, "failure_threshold", *extensions.breaker->failure_threshold);
    }
    if (extensions.breaker->recovery_time) {
      (*breaker.mutable_fields())["recovery_time"].set_string_value(duration_text(*extensions.breaker->recovery_time));
    }
    if (extensions.breaker->probes) {
      set_number(breaker, "probes", *extensions.breaker->probes);
    }
  }
}

void set_passive_check(const CallSettings& settings, Cluster& to) {
  if (!settings.passive_health_check) {
    return;
  }
  const catalog::PassiveHealthCheck& check = *settings.passive_health_check;
  cluster_v3::OutlierDetection& outlier = *to.mutable_outlier_detection();
  outlier.mutable_enforcing_success_rate()->set_value(0);
  if (check.interval) {
    set_duration(*outlier.mutable_interval(), *check.interval);
  }
  if (check.max_failures) {
    outlier.mutable_consecutive_5xx()->set_value(*check.max_failures);
  }
  if (check.enforcing_consecutive_5xx) {
    outlier.mutable_enforcing_consecutive_5xx()->set_value(*check.enforcing_consecutive_5xx);
  }
  if (check.max_ejection_percent) {
    outlier.mutable_max_ejection_percent()->set_value(*check.max_ejection_percent);
  }
  if (check.base_ejection_time) {
    set_duration(*outlier.mutable_base_ejection_time(), *check.base_ejection_time);
    if (*check.base_ejection_time > Seconds(300)) {
      set_duration(*outlier.mutable_max_ejection_time(), *check.base_ejection_time);
    }
  }
}

void set_protocol(catalog::Protocol protocol, const ProxyIdentity& identity, Cluster& to) {
  if (!identity.http2 || (protocol != catalog::Protocol::http2 && protocol != catalog::Protocol::grpc)) {
    return;
  }
  envoy::extensions::upstreams::http::v3::HttpProtocolOptions options;
  options.mutable_explicit_http_config()->mutable_http2_protocol_options();
  (*to.mutable_typed_extension_protocol_options())[options.GetDescriptor()->full_name()] = pack(options);
}

consul_v3::Target consul_target(const catalog::Catalog& catalog, const Target& from) {
  consul_v3::Target to;
  to.set_service(from.service);
  to.set_datacenter(from.datacenter);
  to.set_connect(true);
  if (const catalog::ServiceResolver* resolver = catalog.resolver_of(from.service)) {
    if (const auto subset = resolver->subsets.find(from.subset); subset != resolver->subsets.end()) {
      to.set_filter(subset->second.filter);
    }
  }
  return to;
}

void set_consul(const consul_v3::ConsulCluster& config, Cluster& to) {
  to.mutable_cluster_type()->set_name("remora.clusters.consul");
  *to.mutable_cluster_type()->mutable_typed_config() = pack(config);
}

void set_endpoints(const Call& call, const ProxyIdentity& identity, const Destination& destination, Cluster& to,
                   Problems& problems) {
  switch (identity.endpoints) {
    case Endpoints::consul: {
      consul_v3::ConsulCluster config;
      *config.mutable_target() = consul_target(call.catalog, destination.target);
      for (const Target& target : destination.failover) {
        *config.add_failover() = consul_target(call.catalog, target);
      }
      const auto discovery = call_extensions(call, destination.target.service).discovery;
      if (discovery && discovery->hold_empty) {
        set_duration(*config.mutable_hold_empty(), *discovery->hold_empty);
      }
      set_consul(config, to);
      return;
    }
    case Endpoints::eds:
    case Endpoints::inline_in_cluster:
      break;
  }
  // Which instances there are does not change how EDS's cluster checks them.
  HealthChecks checks(problems);
  endpoint_v3::ClusterLoadAssignment endpoints = assignment(call.catalog, destination, to.name(), checks, problems);
  if (checks.check()) {
    *to.add_health_checks() = *checks.check();
  }
  if (identity.endpoints == Endpoints::eds) {
    to.set_type(Cluster::EDS);
    set_ads(*to.mutable_eds_cluster_config()->mutable_eds_config());
    return;
  }
  const bool names = std::ranges::any_of(endpoints.endpoints(), [](const auto& group) {
    return std::ranges::any_of(group.lb_endpoints(),
                               [](const auto& one) { return !one.endpoint().hostname().empty(); });
  });
  to.set_type(names ? Cluster::STRICT_DNS : Cluster::STATIC);
  *to.mutable_load_assignment() = std::move(endpoints);
}

// The app is on this machine: where it says so itself, by a loopback address, there; else at 127.0.0.1.
std::string local_host(const catalog::Service& service, const catalog::Proxy& proxy) {
  if (!proxy.local_service_address.empty()) {
    return proxy.local_service_address;
  }
  return service.address.starts_with("127.") || service.address == "::1" ? service.address : "127.0.0.1";
}

}  // namespace

Cluster make_cluster(const Call& call, const ProxyIdentity& identity, const Chain& chain,
                     const Destination& destination, const std::string& name, Problems& problems) {
  const CallSettings settings = call_settings(call);
  Cluster result;
  result.set_name(name);
  Nanoseconds connect_timeout = kConnectTimeout;
  if (destination.resolver != nullptr && destination.resolver->connect_timeout) {
    connect_timeout = *destination.resolver->connect_timeout;
  }
  set_duration(*result.mutable_connect_timeout(), settings.connect_timeout.value_or(connect_timeout));
  set_balancer(destination.resolver, result);
  // As Consul: instances that are down are never called, even when few are left.
  result.mutable_common_lb_config()->mutable_healthy_panic_threshold();
  set_limits(settings, call_extensions(call, destination.target.service), result);
  set_passive_check(settings, result);
  set_protocol(chain.protocol, identity, result);
  set_endpoints(call, identity, destination, result, problems);
  return result;
}

endpoint_v3::ClusterLoadAssignment make_assignment(const catalog::Catalog& catalog, const Destination& destination,
                                                   const std::string& name, Problems& problems) {
  Problems unused;  // the cluster tells them
  HealthChecks checks(unused);
  endpoint_v3::ClusterLoadAssignment result = assignment(catalog, destination, name, checks, problems);
  for (auto& group : *result.mutable_endpoints()) {
    for (const auto& one : group.lb_endpoints()) {
      if (!one.endpoint().hostname().empty()) {
        problems.push_back({Problem::Severity::warning,
                            {},
                            fmt::format("'{}' of cluster '{}' is a name, and endpoints that a control plane serves are "
                                        "IP addresses: it is left out",
                                        one.endpoint().hostname(), name)});
      }
    }
    auto& endpoints = *group.mutable_lb_endpoints();
    endpoints.erase(std::remove_if(endpoints.begin(), endpoints.end(),
                                   [](const auto& one) { return !one.endpoint().hostname().empty(); }),
                    endpoints.end());
  }
  return result;
}

Cluster make_query_cluster(const Call& call, const ProxyIdentity& identity, Problems& problems) {
  const CallSettings settings = call_settings(call);
  Cluster result;
  result.set_name(call.upstream.destination_name);
  set_duration(*result.mutable_connect_timeout(), settings.connect_timeout.value_or(kConnectTimeout));
  result.mutable_common_lb_config()->mutable_healthy_panic_threshold();
  set_limits(settings, call_extensions(call, call.upstream.destination_name), result);
  set_passive_check(settings, result);
  if (identity.endpoints == Endpoints::consul) {
    consul_v3::ConsulCluster config;
    config.set_prepared_query(call.upstream.destination_name);
    set_consul(config, result);
    return result;
  }
  problems.push_back({Problem::Severity::error, call.upstream.place,
                      fmt::format("upstream '{}' is a prepared query, which a Remora that was given a Consul can ask, "
                                  "and nobody else",
                                  call.upstream.destination_name)});
  result.mutable_load_assignment()->set_cluster_name(result.name());
  return result;
}

Cluster make_local_app(const catalog::Catalog& catalog, const catalog::Service& service,
                       const catalog::Sidecar& sidecar) {
  const catalog::Proxy& proxy = sidecar.proxy;
  const catalog::ServiceDefaults* defaults = catalog.defaults_of(service.name);
  const catalog::ProxySettings* global = catalog.proxy_defaults ? &catalog.proxy_defaults->config : nullptr;
  const auto pick = [](const auto& first, const auto& second, const auto& third) {
    return first ? first : second ? second : third;
  };
  Cluster result;
  result.set_name(kLocalApp);
  result.set_type(Cluster::STATIC);
  const auto connect_timeout =
      pick(proxy.config.local_connect_timeout, defaults ? defaults->local_connect_timeout : std::nullopt,
           global ? global->local_connect_timeout : std::nullopt);
  set_duration(*result.mutable_connect_timeout(), connect_timeout.value_or(kConnectTimeout));
  const auto max_connections =
      pick(proxy.config.max_inbound_connections, defaults ? defaults->max_inbound_connections : std::nullopt,
           global ? global->max_inbound_connections : std::nullopt);
  if (max_connections) {
    result.mutable_circuit_breakers()->add_thresholds()->mutable_max_connections()->set_value(*max_connections);
  }
  result.mutable_load_assignment()->set_cluster_name(kLocalApp);
  auto& address =
      *result.mutable_load_assignment()->add_endpoints()->add_lb_endpoints()->mutable_endpoint()->mutable_address();
  if (!proxy.local_service_socket_path.empty() || (proxy.local_service_port == 0 && service.port == 0)) {
    address.mutable_pipe()->set_path(proxy.local_service_socket_path.empty() ? service.socket_path
                                                                             : proxy.local_service_socket_path);
    return result;
  }
  set_address(address, local_host(service, proxy),
              proxy.local_service_port != 0 ? proxy.local_service_port : service.port);
  return result;
}

Cluster make_exposed_app(const catalog::Catalog& catalog, const catalog::Service& service,
                         const catalog::ExposePath& path, const ProxyIdentity& identity) {
  Cluster result = make_local_app(catalog, service, *service.sidecar);
  result.set_name(exposed_cluster(path));
  result.clear_circuit_breakers();  // the service's own limits are about its callers
  set_protocol(path.protocol == "http2" ? catalog::Protocol::http2 : catalog::Protocol::http, identity, result);
  auto& endpoints = *result.mutable_load_assignment();
  endpoints.set_cluster_name(result.name());
  set_address(*endpoints.mutable_endpoints(0)->mutable_lb_endpoints(0)->mutable_endpoint()->mutable_address(),
              local_host(service, service.sidecar->proxy), path.local_path_port);
  return result;
}

}  // namespace remora::translate
