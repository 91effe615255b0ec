#include <fmt/format.h>

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace endpoint_v3 = envoy::config::endpoint::v3;

constexpr std::size_t kMaxName = 253;  // RFC 1035 section 2.3.4, in text

model::Endpoint::Health health_of(core_v3::HealthStatus status) {
  using Health = model::Endpoint::Health;
  switch (status) {
    case core_v3::HEALTHY:
      return Health::healthy;
    case core_v3::UNHEALTHY:
      return Health::unhealthy;
    case core_v3::DRAINING:
      return Health::draining;
    case core_v3::TIMEOUT:
      return Health::timeout;
    case core_v3::DEGRADED:
      return Health::degraded;
    default:
      return Health::unknown;
  }
}

Address endpoint_address(const Scope& scope, const core_v3::Address& message) {
  const Address result = read_address(scope, message);
  if (result.is_ip() && result.port() == 0) {
    const Scope at = scope.field("socket_address");
    at.error("port_value", "a port is required");
  }
  return result;
}

bool is_name(const core_v3::Address& message) {
  return message.has_socket_address() && !Address::parse(message.socket_address().address(), 0);
}

// Takes `message` for a name to be resolved, like the endpoint `like` in all else.
void add_name(const Scope& scope, const core_v3::SocketAddress& message, const model::Endpoint& like,
              model::DnsDiscovery& dns) {
  const Scope at = scope.field("socket_address");
  if (message.address().empty() || message.address().size() > kMaxName ||
      message.address().find_first_of(" \t\r\n/:@") != std::string::npos) {
    at.error("address", fmt::format("'{}' is neither an IP address nor a name that DNS could know", message.address()));
  }
  check_range(at.field("port_value"), message.port_value(), 1, 65535);
  model::DnsDiscovery::Name& name = dns.names.emplace_back();
  name.host = message.address();
  name.port = static_cast<std::uint16_t>(message.port_value());
  name.hostname = like.hostname;
  name.weight = like.weight;
  name.priority = like.priority;
  name.health = like.health;
  if (like.health_check != nullptr) {
    name.health_check = *like.health_check;
  }
}

void read_endpoint(const Scope& scope, const endpoint_v3::LbEndpoint& message, std::uint32_t priority,
                   model::DnsDiscovery* dns, std::vector<model::Endpoint>& to) {
  const Scope endpoint = scope.field("endpoint");
  if (!message.endpoint().has_address()) {
    endpoint.error("address", "is required");
    return;
  }
  model::Endpoint result;
  result.hostname = message.endpoint().hostname();
  result.priority = priority;
  result.health = health_of(message.health_status());
  if (message.endpoint().has_health_check_config()) {
    result.health_check =
        read_health_check_target(endpoint.field("health_check_config"), message.endpoint().health_check_config());
  }
  if (message.has_load_balancing_weight()) {
    result.weight = message.load_balancing_weight().value();
    if (result.weight == 0) {
      scope.error("load_balancing_weight", "must be at least 1");
    }
  }
  const Scope address = endpoint.field("address");
  if (dns != nullptr && is_name(message.endpoint().address())) {
    add_name(address, message.endpoint().address().socket_address(), result, *dns);
    return;
  }
  result.address = endpoint_address(address, message.endpoint().address());
  to.push_back(std::move(result));
}

}  // namespace

Endpoints read_endpoints(const Scope& scope, const endpoint_v3::ClusterLoadAssignment& message,
                         model::DnsDiscovery* dns) {
  Endpoints result;
  require(scope, "cluster_name", message.cluster_name());
  if (message.policy().has_overprovisioning_factor()) {
    result.overprovisioning_factor = message.policy().overprovisioning_factor().value();
    if (result.overprovisioning_factor == 0U) {
      const Scope policy = scope.field("policy");
      policy.error("overprovisioning_factor", "must be greater than 0");
    }
  }
  const Scope groups = scope.field("endpoints");
  for (int i = 0; i < message.endpoints_size(); ++i) {
    const endpoint_v3::LocalityLbEndpoints& group = message.endpoints(i);
    const Scope at = groups.item(static_cast<std::size_t>(i));
    check_range(at.field("priority"), group.priority(), 0, 128);
    const Scope list = at.field("lb_endpoints");
    for (int j = 0; j < group.lb_endpoints_size(); ++j) {
      read_endpoint(list.item(static_cast<std::size_t>(j)), group.lb_endpoints(j), group.priority(), dns,
                    result.endpoints);
    }
  }
  return result;
}

}  // namespace remora::xds
