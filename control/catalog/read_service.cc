// The reader of service definitions: a service, its checks, its sidecar, the sidecar's upstreams.
#include <fmt/format.h>

#include "control/catalog/readers.h"
#include "control/catalog/words.h"

namespace remora::catalog {
namespace {

constexpr std::string_view kNoLocality = "localities are not supported";
constexpr std::string_view kOwnedBySidecar = "belongs to the service itself, not to its sidecar";

void add_check(const At& at, Service& into) { read_value(at, into.checks.emplace_back(), {}); }
void add_checks(const At& at, Service& into) {
  std::vector<Check> checks;
  read_value(at, checks, {});
  into.checks.insert(into.checks.end(), checks.begin(), checks.end());
}
void add_sidecar_check(const At& at, Sidecar& into) { read_value(at, into.checks.emplace_back(), {}); }
void add_sidecar_checks(const At& at, Sidecar& into) {
  std::vector<Check> checks;
  read_value(at, checks, {});
  into.checks.insert(into.checks.end(), checks.begin(), checks.end());
}

void read_connect(const At& at, Service& into) {
  static constexpr std::array kRows = {row<&Service::connect_native>("native"),
                                       row<&Service::sidecar>("sidecar_service")};
  // `sidecar_service: {}` is a sidecar that is all defaults.
  read_rows(at, kRows, &into);
}

void read_kind(const At& at, Service&) {
  std::string kind;
  read_value(at, kind, {});
  if (kind == "connect-proxy") {
    at.error("a mesh file writes a sidecar within its service: connect: {sidecar_service: {port: …, proxy: {…}}}");
  } else if (!kind.empty()) {
    at.error(fmt::format("'{}': Remora runs sidecars, no gateways", kind));
  }
}

void read_octal(const At& at, Upstream& into) {
  read_value(at, into.local_bind_socket_mode, {});
  if (into.local_bind_socket_mode.find_first_not_of("01234567") != std::string::npos ||
      into.local_bind_socket_mode.size() > 5) {
    at.expected("a file mode in octal, such as 0644");
  }
}

// The keys that say what a check does, of which it has one.
struct CheckKeys {
  Check check;
  std::string http, tcp, udp, grpc, h2ping, docker, alias_node, alias_service, os_service, status;
  std::vector<std::string> args;
  bool tcp_use_tls = false, grpc_use_tls = false, h2ping_use_tls = false;
};

template <auto Member>
constexpr FieldRow of_check(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits& limits) {
            read_value(at, static_cast<CheckKeys*>(into)->check.*Member, limits);
          }};
}
template <auto Member>
constexpr FieldRow duration_of_check(std::string_view name) {
  return {name,
          [](const At& at, void* into, const Limits& limits) {
            read_duration(at, static_cast<CheckKeys*>(into)->check.*Member, limits);
          },
          kNotNegative};
}

constexpr std::array kCheckRows = {
    of_check<&Check::id>("id"),
    of_check<&Check::name>("name"),
    row<&CheckKeys::http>("http"),
    row<&CheckKeys::tcp>("tcp"),
    row<&CheckKeys::udp>("udp"),
    row<&CheckKeys::grpc>("grpc"),
    row<&CheckKeys::h2ping>("h2ping"),
    row<&CheckKeys::docker>("docker_container_id"),
    row<&CheckKeys::alias_node>("alias_node"),
    row<&CheckKeys::alias_service>("alias_service"),
    row<&CheckKeys::os_service>("os_service"),
    row<&CheckKeys::args>("args", {}, "script_args"),
    row<&CheckKeys::status>("status"),
    of_check<&Check::header>("header"),
    of_check<&Check::method>("method"),
    of_check<&Check::body>("body"),
    of_check<&Check::disable_redirects>("disable_redirects"),
    of_check<&Check::tls_skip_verify>("tls_skip_verify"),
    of_check<&Check::tls_server_name>("tls_server_name"),
    row<&CheckKeys::tcp_use_tls>("tcp_use_tls"),
    row<&CheckKeys::grpc_use_tls>("grpc_use_tls"),
    row<&CheckKeys::h2ping_use_tls>("h2ping_use_tls", {}, "h2_ping_use_tls"),
    duration_of_check<&Check::interval>("interval"),
    duration_of_check<&Check::timeout>("timeout"),
    duration_of_check<&Check::ttl>("ttl"),
    duration_of_check<&Check::deregister_critical_service_after>("deregister_critical_service_after"),
    of_check<&Check::success_before_passing>("success_before_passing"),
    of_check<&Check::failures_before_warning>("failures_before_warning"),
    of_check<&Check::failures_before_critical>("failures_before_critical"),
    ignored("notes"),
    ignored("shell"),
    ignored("output_max_size"),
    ignored("token"),
    ignored("service_id"),
    ignored("check_id"),
    refused("namespace", kNoNamespaces),
    refused("partition", kNoPartitions)};

void settle_kind(const At& at, const CheckKeys& keys, Check& into) {
  struct Choice {
    std::string_view key;
    Check::Kind kind;
    const std::string& target;
  };
  const Choice choices[] = {{"http", Check::Kind::http, keys.http},
                            {"tcp", Check::Kind::tcp, keys.tcp},
                            {"udp", Check::Kind::udp, keys.udp},
                            {"grpc", Check::Kind::grpc, keys.grpc},
                            {"h2ping", Check::Kind::other, keys.h2ping},
                            {"docker_container_id", Check::Kind::other, keys.docker},
                            {"alias_node", Check::Kind::other, keys.alias_node},
                            {"alias_service", Check::Kind::other, keys.alias_service},
                            {"os_service", Check::Kind::other, keys.os_service}};
  std::string_view first;
  for (const Choice& choice : choices) {
    if (choice.target.empty()) {
      continue;
    }
    const bool pair = first == "alias_node" && choice.key == "alias_service";
    if (!first.empty() && !pair) {
      at.error(choice.key, fmt::format("a check does one thing, and there is {} already: write a second check", first));
    }
    first = choice.key;
    into.kind = choice.kind;
    into.target = choice.target;
  }
  if (first.empty() && into.ttl) {
    into.kind = Check::Kind::ttl;
  } else if (first.empty() && keys.args.empty()) {
    at.error("needs to say what to check: http (a URL), tcp or grpc (host:port), or ttl");
  }
  if (!first.empty() && into.ttl) {
    at.error("ttl", fmt::format("a check waits to be told (ttl) or asks by itself ({}), not both", first));
  }
  if (into.kind == Check::Kind::http && !into.target.starts_with("http://") && !into.target.starts_with("https://")) {
    at.error("http", fmt::format("expected a URL such as http://127.0.0.1:9001/health, not '{}'", into.target));
  }
  if ((into.kind == Check::Kind::tcp || into.kind == Check::Kind::udp) && into.target.find(':') == std::string::npos) {
    at.error(first, fmt::format("expected host:port, not '{}'", into.target));
  }
  if (into.kind != Check::Kind::ttl && !into.interval && (!first.empty() || !keys.args.empty()) &&
      first != "alias_node" && first != "alias_service") {
    at.error("needs an interval, such as 10s");
  }
  into.tls = into.target.starts_with("https://") || keys.tcp_use_tls || keys.grpc_use_tls || keys.h2ping_use_tls;
}

}  // namespace

void read_value(const At& at, Check& into, const Limits&) {
  CheckKeys keys;
  read_rows(at, kCheckRows, &keys);
  into = std::move(keys.check);
  into.place = at.place();
  if (at.node().kind != config::YamlNode::Kind::mapping) {
    return;
  }
  settle_kind(at, keys, into);
  if (!keys.status.empty()) {
    Health health{};
    if (const auto* status = at.find("status")) {
      read_value(at.field("status", *status), health, Limits{});
    }
    into.status = health;
  }
}

void read_value(const At& at, Weights& into, const Limits&) {
  static constexpr std::array kRows = {row<&Weights::passing>("passing", Limits{0, 65535}),
                                       row<&Weights::warning>("warning", Limits{0, 65535})};
  read_rows(at, kRows, &into);
  if (!at.from_consul() && into.passing == 0) {
    at.error("passing", "expected a whole number from 1 to 65535, not 0");
  }
}

void read_value(const At& at, Upstream& into, const Limits&) {
  static constexpr std::array kRows = {row<&Upstream::destination_type>("destination_type"),
                                       row<&Upstream::destination_name>("destination_name"),
                                       row<&Upstream::datacenter>("datacenter"),
                                       row<&Upstream::local_bind_address>("local_bind_address"),
                                       row<&Upstream::local_bind_port>("local_bind_port"),
                                       row<&Upstream::local_bind_socket_path>("local_bind_socket_path"),
                                       custom<Upstream, read_octal>("local_bind_socket_mode"),
                                       custom<Upstream, read_mesh_gateway_of<Upstream>>("mesh_gateway"),
                                       row<&Upstream::config>("config"),
                                       ignored("centrally_configured"),
                                       refused("destination_namespace", kNoNamespaces),
                                       refused("destination_partition", kNoPartitions),
                                       refused("destination_peer", kNoPeers)};
  into.config.place = at.place();
  read_mapping(at, into, kRows);
  if (into.local_bind_address.empty()) {
    into.local_bind_address = Upstream().local_bind_address;
  }
  check_name(at, "destination_name", "destination_name, the service that is called", into.destination_name);
  if (into.local_bind_port != 0 && !into.local_bind_socket_path.empty()) {
    at.error("write local_bind_port or local_bind_socket_path, not both");
  } else if (into.local_bind_port == 0 && into.local_bind_socket_path.empty() && !at.from_consul()) {
    at.error("needs local_bind_port, where the app calls it, or local_bind_socket_path");
  }
}

void read_value(const At& at, Proxy& into, const Limits&) {
  static constexpr std::array kRows = {row<&Proxy::destination_service_name>("destination_service_name"),
                                       row<&Proxy::destination_service_id>("destination_service_id"),
                                       row<&Proxy::local_service_address>("local_service_address"),
                                       row<&Proxy::local_service_port>("local_service_port"),
                                       row<&Proxy::local_service_socket_path>("local_service_socket_path"),
                                       row<&Proxy::mode>("mode"),
                                       row<&Proxy::transparent_proxy>("transparent_proxy"),
                                       custom<Proxy, read_mesh_gateway_of<Proxy>>("mesh_gateway"),
                                       row<&Proxy::expose>("expose"),
                                       row<&Proxy::upstreams>("upstreams"),
                                       row<&Proxy::config>("config"),
                                       ignored("access_logs"),  // Consul writes proxy-defaults' into each proxy
                                       refused("envoy_extensions", kNoEnvoyExtensions)};
  into.config.place = at.place();
  read_mapping(at, into, kRows);
}

void read_value(const At& at, Sidecar& into, const Limits&) {
  static constexpr std::array kRows = {row<&Sidecar::id>("id"),
                                       row<&Sidecar::name>("name"),
                                       row<&Sidecar::address>("address"),
                                       row<&Sidecar::port>("port"),
                                       row<&Sidecar::tags>("tags"),
                                       row<&Sidecar::meta>("meta"),
                                       row<&Sidecar::weights>("weights"),
                                       custom<Sidecar, add_sidecar_check>("check"),
                                       custom<Sidecar, add_sidecar_checks>("checks"),
                                       row<&Sidecar::proxy>("proxy"),
                                       ignored("kind"),
                                       ignored("enable_tag_override"),
                                       ignored("tagged_addresses"),
                                       ignored("token"),
                                       refused("connect", kOwnedBySidecar),
                                       refused("locality", kNoLocality),
                                       refused("namespace", kNoNamespaces),
                                       refused("partition", kNoPartitions)};
  into.proxy.place = at.place();
  into.proxy.config.place = at.place();
  read_mapping(at, into, kRows);
}

void read_value(const At& at, Service& into, const Limits&) {
  static constexpr std::array kRows = {row<&Service::name>("name"),
                                       row<&Service::id>("id"),
                                       row<&Service::address>("address"),
                                       row<&Service::port>("port"),
                                       row<&Service::socket_path>("socket_path"),
                                       row<&Service::tags>("tags"),
                                       row<&Service::meta>("meta"),
                                       row<&Service::weights>("weights"),
                                       custom<Service, add_check>("check"),
                                       custom<Service, add_checks>("checks"),
                                       custom<Service, read_connect>("connect"),
                                       custom<Service, read_kind>("kind"),
                                       ignored("enable_tag_override"),
                                       ignored("tagged_addresses"),
                                       ignored("token"),
                                       refused("proxy", "write it as connect: {sidecar_service: {proxy: {…}}}"),
                                       refused("locality", kNoLocality),
                                       refused("namespace", kNoNamespaces),
                                       refused("partition", kNoPartitions)};
  read_mapping(at, into, kRows);
  if (at.node().kind != config::YamlNode::Kind::mapping) {
    return;
  }
  check_name(at, "name", "a name", into.name);
  check_meta(at, into.meta);
  into.id = into.id.empty() ? into.name : into.id;
  into.address = into.address.empty() ? "127.0.0.1" : into.address;
  if (into.port != 0 && !into.socket_path.empty()) {
    at.error("socket_path", "a service has a port or a socket_path, not both");
  }
  if (into.sidecar) {
    Proxy& proxy = into.sidecar->proxy;
    if ((!proxy.destination_service_name.empty() && proxy.destination_service_name != into.name) ||
        (!proxy.destination_service_id.empty() && proxy.destination_service_id != into.id)) {
      at.error("connect", "destination_service_name and destination_service_id are the service's own: leave them out");
    }
    proxy.destination_service_name = into.name;
    proxy.destination_service_id = into.id;
  }
}

}  // namespace remora::catalog
