#include "proxy/xds/endpoints_proto.h"

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace endpoint_v3 = envoy::config::endpoint::v3;

core_v3::HealthStatus health_to_proto(model::Endpoint::Health health) {
  using Health = model::Endpoint::Health;
  switch (health) {
    case Health::healthy:
      return core_v3::HEALTHY;
    case Health::unhealthy:
      return core_v3::UNHEALTHY;
    case Health::draining:
      return core_v3::DRAINING;
    case Health::timeout:
      return core_v3::TIMEOUT;
    case Health::degraded:
      return core_v3::DEGRADED;
    case Health::unknown:
      break;
  }
  return core_v3::UNKNOWN;
}

void address_to_proto(const Address& address, core_v3::Address& to) {
  if (address.is_ip()) {
    to.mutable_socket_address()->set_address(address.ip());
    to.mutable_socket_address()->set_port_value(address.port());
  } else {
    to.mutable_pipe()->set_path(address.to_string());
  }
}

}  // namespace

void endpoints_to_proto(const std::string& cluster, const std::vector<model::Endpoint>& endpoints,
                        endpoint_v3::ClusterLoadAssignment& to) {
  to.set_cluster_name(cluster);
  for (const model::Endpoint& endpoint : endpoints) {
    endpoint_v3::LocalityLbEndpoints* group = nullptr;
    for (auto& each : *to.mutable_endpoints()) {
      group = each.priority() == endpoint.priority ? &each : group;
    }
    if (group == nullptr) {
      group = to.add_endpoints();
      group->set_priority(endpoint.priority);
    }
    endpoint_v3::LbEndpoint& each = *group->add_lb_endpoints();
    address_to_proto(endpoint.address, *each.mutable_endpoint()->mutable_address());
    each.mutable_endpoint()->set_hostname(endpoint.hostname);
    each.set_health_status(health_to_proto(endpoint.health));
    each.mutable_load_balancing_weight()->set_value(endpoint.weight);
  }
}

std::vector<model::Endpoint> endpoints_from_proto(const endpoint_v3::ClusterLoadAssignment& from) {
  config::Context context;
  Endpoints read = read_endpoints(Scope(context), from, nullptr);
  return context.errors.empty() ? std::move(read.endpoints) : std::vector<model::Endpoint>();
}

}  // namespace remora::xds
