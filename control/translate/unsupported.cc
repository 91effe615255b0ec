#include "control/translate/unsupported.h"

#include <fmt/format.h>

namespace remora::translate {
namespace {

using catalog::MeshGatewayMode;
using catalog::Place;
using catalog::ProxyMode;

class Looker {
 public:
  Looker(const catalog::Catalog& catalog, Problems& problems) : catalog_(catalog), problems_(problems) {}

  void look_at(const catalog::Service& service) {
    if (catalog_.proxy_defaults != nullptr) {
      look_at(*catalog_.proxy_defaults);
    }
    if (const catalog::ServiceDefaults* defaults = catalog_.defaults_of(service.name)) {
      look_at(*defaults);
    }
    const catalog::Proxy& proxy = service.sidecar->proxy;
    traffic(proxy, proxy.place);
    settings(proxy.config, proxy.config.place);
    for (const catalog::Upstream& upstream : proxy.upstreams) {
      gateway(upstream.mesh_gateway, upstream.place);
      look_at(upstream.config);
      if (!upstream.local_bind_socket_mode.empty()) {
        warn(upstream.place,
             "`local_bind_socket_mode` is not supported by this version of Remora: the socket gets what "
             "the proxy's umask leaves");
      }
    }
  }

 private:
  void warn(const Place& place, std::string message) {
    problems_.push_back({Problem::Severity::warning, place, std::move(message)});
  }

  void look_at(const catalog::ProxyDefaults& defaults) {
    traffic(defaults, defaults.head.place);
    settings(defaults.config, defaults.head.place);
  }

  void look_at(const catalog::ServiceDefaults& defaults) {
    const Place& place = defaults.head.place;
    traffic(defaults, place);
    if (!defaults.external_sni.empty()) {
      warn(place,
           "`external_sni` is not supported by this version of Remora: it names the TLS of what is outside of the "
           "mesh, and a terminating gateway would lead there");
    }
    balance(defaults.balance_inbound_connections, place);
    if (defaults.upstream_defaults) {
      look_at(*defaults.upstream_defaults);
    }
    for (const catalog::UpstreamSettings& one : defaults.upstream_overrides) {
      look_at(one);
    }
  }

  void look_at(const catalog::UpstreamSettings& upstream) {
    gateway(upstream.mesh_gateway, upstream.place);
    if (upstream.balance_outbound_connections) {
      warn(upstream.place,
           "`balance_outbound_connections` is not supported by this version of Remora: each worker has "
           "a socket of its own, and the kernel shares connections out");
    }
  }

  // What proxy-defaults, service-defaults and a proxy have alike.
  template <typename Settings>
  void traffic(const Settings& from, const Place& place) {
    gateway(from.mesh_gateway, place);
    if (from.mode == ProxyMode::transparent || from.transparent_proxy) {
      warn(place,
           "transparent proxying is not supported by this version of Remora: a service calls its upstreams at "
           "their local addresses (local_bind_port)");
    }
    if (from.expose.checks) {
      warn(place,
           "`expose: {checks: true}` is not supported by this version of Remora: a Consul agent would choose the "
           "ports; write the paths of the checks in expose.paths");
    }
  }

  void settings(const catalog::ProxySettings& from, const Place& place) {
    balance(from.balance_inbound_connections, place);
    if (!from.envoy_prometheus_bind_addr.empty()) {
      warn(place,
           "`envoy_prometheus_bind_addr` has no effect: Remora's metrics are at /metrics of its admin interface "
           "(--admin)");
    }
  }

  void balance(const std::string& word, const Place& place) {
    if (!word.empty()) {
      warn(place,
           "`balance_inbound_connections` is not supported by this version of Remora: each worker has a socket of "
           "its own, and the kernel shares connections out");
    }
  }

  void gateway(MeshGatewayMode mode, const Place& place) {
    if (mode == MeshGatewayMode::local || mode == MeshGatewayMode::remote) {
      warn(place,
           "mesh gateways are not supported by this version of Remora: instances in other datacenters are called "
           "at their own addresses");
    }
  }

  const catalog::Catalog& catalog_;
  Problems& problems_;
};

}  // namespace

void warn_of_unsupported(const catalog::Catalog& catalog, const catalog::Service& service, Problems& problems) {
  if (service.sidecar) {
    Looker(catalog, problems).look_at(service);
  }
}

}  // namespace remora::translate
