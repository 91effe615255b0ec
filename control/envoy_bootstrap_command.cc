// `remora-control envoy-bootstrap`: the file with which a real Envoy follows our control plane.
#include <fmt/format.h>

#include <array>

#include "control/commands.h"
#include "core/base/address.h"

namespace remora::control {
namespace {

constexpr std::array<std::string_view, 2> kProtocols = {"delta", "sotw"};
constexpr std::array kFlags = {
    Flag{.name = "control",
         .value = Flag::Value::word,
         .placeholder = "ADDR[,ADDR…]",
         .help = "where remora-control serves: host:port; several, for when one dies",
         .repeats = true},
    Flag{.name = "service", .value = Flag::Value::word, .placeholder = "NAME", .help = "whose sidecar it is"},
    Flag{.name = "service-id",
         .value = Flag::Value::word,
         .placeholder = "ID",
         .help = "which instance of the service; the service's name unless set"},
    Flag{.name = "admin",
         .value = Flag::Value::word,
         .placeholder = "ADDR",
         .help = "host:port of Envoy's admin server; none unless set"},
    Flag{.name = "protocol",
         .value = Flag::Value::word,
         .placeholder = "WORD",
         .help = "delta (unless set) or sotw: state of the world",
         .words = kProtocols},
};

struct HostPort {
  std::string host;
  std::string port;
};

Result<HostPort> host_port(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() ||
      text.find_first_not_of("0123456789", colon + 1) != std::string::npos ||
      std::stoul(text.substr(colon + 1)) > 65535) {
    return fail(fmt::format("'{}' is no address: expected host:port", text));
  }
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return HostPort{host, text.substr(colon + 1)};
}

Result<std::vector<HostPort>> control_addresses(const Arguments& arguments) {
  std::vector<HostPort> result;
  for (const std::string& value : arguments.values("control")) {
    for (std::size_t begin = 0; begin <= value.size();) {
      const std::size_t end = std::min(value.find(',', begin), value.size());
      auto one = host_port(value.substr(begin, end - begin));
      if (!one) {
        return std::unexpected(one.error());
      }
      result.push_back(std::move(*one));
      begin = end + 1;
    }
  }
  if (result.empty()) {
    return fail("--control is required: remora-control envoy-bootstrap --control 127.0.0.1:18000 --service web");
  }
  return result;
}

std::string socket_address(const HostPort& from) {
  return fmt::format("{{socket_address: {{address: \"{}\", port_value: {}}}}}", from.host, from.port);
}

std::string bootstrap(const Arguments& arguments, const std::vector<HostPort>& control, const std::string& admin) {
  const std::string service(arguments.value("service"));
  const std::string id(arguments.has("service-id") ? arguments.value("service-id") : service);
  const bool delta = arguments.value("protocol") != "sotw";
  std::string endpoints;
  bool names = false;
  for (const HostPort& one : control) {
    endpoints += fmt::format("        - endpoint: {{address: {}}}\n", socket_address(one));
    names = names || !Address::parse(one.host, 0).has_value();
  }
  std::string out = fmt::format(
      "# For a real Envoy that follows remora-control.\n"
      "node: {{id: \"{}\", cluster: \"{}\"}}\n",
      id, service);
  if (!admin.empty()) {
    out += fmt::format("admin: {{address: {}}}\n", admin);
  }
  return out + fmt::format(R"(dynamic_resources:
  ads_config:
    api_type: {}
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{{envoy_grpc: {{cluster_name: remora-control}}}}]
  cds_config: {{ads: {{}}, resource_api_version: V3}}
  lds_config: {{ads: {{}}, resource_api_version: V3}}
static_resources:
  clusters:
  - name: remora-control
    type: {}
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          http2_protocol_options: {{connection_keepalive: {{interval: 30s, timeout: 5s}}}}
    load_assignment:
      cluster_name: remora-control
      endpoints:
      - lb_endpoints:
{})",
                           delta ? "DELTA_GRPC" : "GRPC", names ? "STRICT_DNS" : "STATIC", endpoints);
}

int run_envoy_bootstrap(const Arguments& arguments, const Output& output) {
  const auto wrong = [&](const std::string& message) {
    output.err(fmt::format("error: {}\n", message));
    return kUsage;
  };
  const auto control = control_addresses(arguments);
  if (!control) {
    return wrong(control.error().message);
  }
  if (arguments.value("service").empty()) {
    return wrong("--service is required: whose sidecar is it?");
  }
  std::string admin;
  if (arguments.has("admin")) {
    const auto address = host_port(std::string(arguments.value("admin")));
    if (!address) {
      return wrong(address.error().message);
    }
    admin = socket_address(*address);
  }
  output.out(bootstrap(arguments, *control, admin));
  return kFine;
}

}  // namespace

const Command kEnvoyBootstrapCommand = {
    .name = "envoy-bootstrap",
    .arguments = "",
    .summary = "Write the bootstrap with which a real Envoy follows this control plane",
    .about =
        "  remora-control envoy-bootstrap --control 127.0.0.1:18000 --service web > web.yaml\n"
        "  envoy -c web.yaml\n\n"
        "The service's name is node.cluster, the instance's id node.id: that is how control knows whom it serves.",
    .flags = kFlags,
    .most = 0,
    .run = run_envoy_bootstrap};

}  // namespace remora::control
