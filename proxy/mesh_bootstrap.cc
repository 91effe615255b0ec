#include "proxy/mesh_bootstrap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "core/base/address.h"

namespace remora::proxy {
namespace {

// A YAML string in single quotes.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("''") : std::string(1, c);
  }
  return out + "'";
}

std::string socket_address(std::string_view text) {
  const auto address = Address::parse_ip_port(text);
  return fmt::format("{{socket_address: {{address: {}, port_value: {}}}}}", quoted(address->ip()), address->port());
}

std::string control_cluster(const Options& options) {
  std::string endpoints;
  for (const std::string& address : options.control) {
    endpoints += fmt::format("        - {{endpoint: {{address: {}}}}}\n", socket_address(address));
  }
  return fmt::format(
      "  - name: {0}\n"
      "    type: STATIC\n"
      "    connect_timeout: 1s\n"
      "    typed_extension_protocol_options:\n"
      "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
      "        explicit_http_config: {{http2_protocol_options: {{}}}}\n"
      "    load_assignment:\n"
      "      cluster_name: {0}\n"
      "      endpoints:\n"
      "      - lb_endpoints:\n{1}",
      kControlCluster, endpoints);
}

std::string dynamic_resources() {
  return fmt::format(
      "dynamic_resources:\n"
      "  ads_config:\n"
      "    api_type: DELTA_GRPC\n"
      "    transport_api_version: V3\n"
      "    grpc_services: [{{envoy_grpc: {{cluster_name: {}}}}}]\n"
      "  cds_config: {{ads: {{}}, resource_api_version: V3}}\n"
      "  lds_config: {{ads: {{}}, resource_api_version: V3}}\n",
      kControlCluster);
}

}  // namespace

std::string mesh_bootstrap(const Options& options) {
  const std::string& id = options.service_id.empty() ? options.service : options.service_id;
  std::string text = fmt::format("node: {{id: {}, cluster: {}", quoted(id), quoted(options.service));
  std::vector<std::string> ours;
  if (!options.consul.empty()) {
    ours.emplace_back("consul: true");  // control then leaves endpoints to this proxy
  }
  if (!options.service_id.empty()) {
    ours.push_back("service_id: " +
                   quoted(id));  // of this one alone: while the mesh lacks it, it is no other one's proxy
  }
  text += ours.empty() ? "}\n" : fmt::format(", metadata: {{remora: {{{}}}}}}}\n", fmt::join(ours, ", "));
  text += fmt::format("admin: {{address: {}}}\n",
                      socket_address(options.admin.empty() ? kDefaultMeshAdmin : std::string_view(options.admin)));
  if (!options.control.empty()) {
    text += dynamic_resources() + "static_resources:\n  clusters:\n" + control_cluster(options);
  }
  return text;
}

}  // namespace remora::proxy
