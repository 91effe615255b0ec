// Service: one registered instance of a service, as a service definition writes it, with its checks, its sidecar and
// the upstreams that this calls. A value; any thread. Source: Consul's structs.ServiceDefinition, CheckType,
// ConnectProxyConfig, Upstream; docs "service configuration".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/catalog/common.h"
#include "control/catalog/upstream_settings.h"

namespace remora::catalog {

enum class Health : std::uint8_t { passing, warning, critical };

struct Weights {
  std::uint32_t passing = 1;
  std::uint32_t warning = 1;

  bool operator==(const Weights&) const = default;
};

struct Check {
  enum class Kind : std::uint8_t {
    http,
    tcp,
    grpc,
    ttl,
    udp,
    other
  };  // other: script, docker, alias …: Consul's agent's
  Place place;
  Kind kind = Kind::other;
  std::string id;
  std::string name;
  std::string target;  // http: the URL; tcp, udp: host:port; grpc: host:port[/service]
  std::string method;  // http; empty: GET
  std::map<std::string, std::vector<std::string>, std::less<>> header;
  std::string body;
  bool tls = false;  // grpc_use_tls, tcp_use_tls
  bool tls_skip_verify = false;
  std::string tls_server_name;
  bool disable_redirects = false;
  std::optional<Nanoseconds> interval;
  std::optional<Nanoseconds> timeout;
  std::optional<Nanoseconds> ttl;
  std::optional<Nanoseconds> deregister_critical_service_after;
  std::uint32_t success_before_passing = 0;
  std::uint32_t failures_before_critical = 0;
  std::uint32_t failures_before_warning = 0;
  std::optional<Health> status;  // the first one; Consul's: critical

  bool operator==(const Check&) const = default;
};

struct Upstream {
  enum class DestinationType : std::uint8_t { service, prepared_query };
  Place place;
  DestinationType destination_type = DestinationType::service;
  std::string destination_name;
  std::string datacenter;  // empty: the catalog's own
  std::string local_bind_address = "127.0.0.1";
  std::uint16_t local_bind_port = 0;  // 0: by local_bind_socket_path, or reached by transparent proxying alone
  std::string local_bind_socket_path;
  std::string local_bind_socket_mode;  // octal, "0644"
  MeshGatewayMode mesh_gateway = MeshGatewayMode::unset;
  UpstreamSettings config;

  bool operator==(const Upstream&) const = default;
};

// `config` of a proxy: how the sidecar itself behaves. Unset ones are looked up in service-defaults and proxy-defaults.
struct ProxySettings {
  Place place;
  std::string protocol;
  std::string bind_address;
  std::uint16_t bind_port = 0;
  std::optional<Nanoseconds> local_connect_timeout;  // local_connect_timeout_ms
  std::optional<Nanoseconds> local_request_timeout;  // local_request_timeout_ms
  std::optional<Nanoseconds> local_idle_timeout;     // local_idle_timeout_ms
  std::optional<std::uint32_t> max_inbound_connections;
  std::string balance_inbound_connections;  // "", "exact_balance"
  std::string envoy_prometheus_bind_addr;   // where /metrics is served besides the admin
  Extensions extensions;                    // of all upstreams of this proxy

  bool operator==(const ProxySettings&) const = default;
};

struct Proxy {
  Place place;
  std::string destination_service_name;  // whose sidecar this is; filled in for `connect.sidecar_service`
  std::string destination_service_id;
  std::string local_service_address;     // empty: 127.0.0.1
  std::uint16_t local_service_port = 0;  // 0: the service's port
  std::string local_service_socket_path;
  ProxyMode mode = ProxyMode::unset;
  std::optional<TransparentProxy> transparent_proxy;
  MeshGatewayMode mesh_gateway = MeshGatewayMode::unset;
  Expose expose;
  std::vector<Upstream> upstreams;
  ProxySettings config;

  bool operator==(const Proxy&) const = default;
};

// `connect.sidecar_service`, or a registration of kind connect-proxy.
struct Sidecar {
  Place place;
  std::string id;       // empty: "<service id>-sidecar-proxy"
  std::string name;     // empty: "<service name>-sidecar-proxy"
  std::string address;  // empty: the service's
  std::uint16_t port = 0;
  std::vector<std::string> tags;
  TextMap meta;
  std::optional<Weights> weights;
  std::vector<Check> checks;
  Health health = Health::passing;
  bool untested = false;  // as a service's
  Proxy proxy;

  bool operator==(const Sidecar&) const = default;
};

// The machine (or agent) that a service is registered on; a mesh file has none.
struct Node {
  std::string name;
  std::string address;
  std::string datacenter;
  TextMap meta;

  bool operator==(const Node&) const = default;
};

struct Service {
  Place place;
  std::string name;
  std::string id;       // the name where none is written
  std::string address;  // a mesh file's default: 127.0.0.1; Consul's: the node's
  std::uint16_t port = 0;
  std::string socket_path;
  std::vector<std::string> tags;
  TextMap meta;
  Weights weights;
  bool connect_native = false;
  std::vector<Check> checks;  // `check` and `checks`
  Health health =
      Health::passing;    // the worst of its checks, as Consul reports it; a mesh file leaves it to the proxies
  bool untested = false;  // critical, but only by checks that Consul has not carried out yet
  std::shared_ptr<const Node> node;  // null in a mesh file
  std::optional<Sidecar> sidecar;

  bool operator==(const Service&) const = default;
};

}  // namespace remora::catalog
