// Snapshots for tests of swaps: listeners "l0"…, and one cluster "up" whose endpoints are ports of 127.0.0.1.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy/xds/bootstrap.h"

namespace remora::proxy {

struct Wanted {
  std::vector<int> listeners = {0};  // ports; 0: any
  std::vector<int> endpoints = {1};
  std::string cluster = {};  // more of it, each a flow mapping's inside
  std::string ip = "127.0.0.1";
};

inline std::shared_ptr<const model::Snapshot> make_snapshot(const Wanted& wanted) {
  std::string listeners;
  for (std::size_t i = 0; i < wanted.listeners.size(); ++i) {
    listeners += fmt::format(
        "{}{{name: l{}, address: {{socket_address: {{address: {}, port_value: {}}}}}, filter_chains: [{{filters: "
        "[{{name: http, typed_config: {{'@type': "
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
        "stat_prefix: s, route_config: {{name: r, virtual_hosts: [{{name: all, domains: ['*'], routes: [{{match: "
        "{{prefix: /}}, route: {{cluster: up}}}}]}}]}}, http_filters: [{{name: envoy.filters.http.router, "
        "typed_config: "
        "{{'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]}}}}]}}]}}",
        i == 0 ? "" : ", ", i, wanted.ip, wanted.listeners[i]);
  }
  std::string endpoints;
  for (const int port : wanted.endpoints) {
    endpoints += fmt::format("{}{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}}}",
                             endpoints.empty() ? "" : ", ", port);
  }
  const std::string text = fmt::format(
      "static_resources: {{listeners: [{}], clusters: [{{name: up, type: STATIC, load_assignment: {{cluster_name: up, "
      "endpoints: [{{lb_endpoints: [{}]}}]}}{}{}}}]}}\n",
      listeners, endpoints, wanted.cluster.empty() ? "" : ", ", wanted.cluster);
  auto snapshot = xds::load_bootstrap(text, "swap.yaml", {});
  if (!snapshot) {
    throw std::runtime_error(snapshot.error().front().to_string() + "\n" + text);
  }
  return *snapshot;
}

}  // namespace remora::proxy
