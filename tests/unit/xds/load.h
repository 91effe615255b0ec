// Helpers of the loader's tests: a bootstrap around the part that a test speaks of.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "proxy/xds/bootstrap.h"

namespace remora::xds::testing {

// Indents every line of `text` but the first.
inline std::string indent(const std::string& text, std::size_t spaces) {
  std::string result;
  for (char c : text) {
    result += c;
    if (c == '\n') {
      result.append(spaces, ' ');
    }
  }
  return result;
}

// What stands where in the bootstrap; each is YAML in a block of its own.
struct Parts {
  std::string top;                                                     // of the file
  std::string listener;                                                // more fields of the listener
  std::string http;                                                    // more fields of the HTTP connection manager
  std::string route_config = "name: r";                                // more fields of the route configuration
  std::string host;                                                    // more fields of the virtual host
  std::string routes = "- match: {prefix: /}\n  route: {cluster: a}";  // of virtual host "web", domains ["*"]
  std::string cluster;                                                 // more fields of cluster "a"
  std::string clusters;                                                // more clusters
};

inline std::string bootstrap(const Parts& parts) {
  return parts.top + "\n" + R"(static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    )" + indent(parts.listener, 4) +
         R"(
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          )" +
         indent(parts.http, 10) + R"(
          route_config:
            )" +
         indent(parts.route_config, 12) + R"(
            virtual_hosts:
            - name: web
              domains: ["*"]
              )" +
         indent(parts.host, 14) + R"(
              routes:
              )" +
         indent(parts.routes, 14) + R"(
  clusters:
  - name: a
    load_assignment:
      cluster_name: a
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9000}}}
    )" + indent(parts.cluster, 4) +
         "\n  " + indent(parts.clusters, 2) + "\n";
}

using Loaded = std::shared_ptr<const model::Snapshot>;

// The snapshot of a text without errors; a test failure and an empty one when there are any.
inline Loaded load(const std::string& text, const LoadOptions& options = {}) {
  auto result = load_bootstrap(text, "b.yaml", options);
  if (!result) {
    for (const ConfigError& error : result.error()) {
      ADD_FAILURE() << error.to_string();
    }
    return nullptr;
  }
  return *result;
}
inline Loaded load(const Parts& parts, const LoadOptions& options = {}) { return load(bootstrap(parts), options); }

// The errors, as "path: message".
inline std::vector<std::string> errors(const std::string& text, const LoadOptions& options = {}) {
  std::vector<std::string> result;
  if (auto loaded = load_bootstrap(text, "b.yaml", options); !loaded) {
    for (const ConfigError& error : loaded.error()) {
      result.push_back(error.path + ": " + error.message);
    }
  }
  return result;
}
inline std::vector<std::string> errors(const Parts& parts) { return errors(bootstrap(parts)); }

// Paths in the one listener's manager, virtual host, first route and first cluster.
inline const std::string kHttp = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
inline const std::string kHost = kHttp + ".route_config.virtual_hosts[0]";
inline const std::string kRoute = kHost + ".routes[0]";
inline const std::string kCluster = "static_resources.clusters[0]";

}  // namespace remora::xds::testing
