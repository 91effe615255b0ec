// Helpers of the sources' tests: resources as YAML, and a builder that keeps what it published.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/sources/snapshot_builder.h"
#include "proxy/sources/text_response.h"
#include "tests/sim/sim_loop.h"

namespace remora::sources::testing {

inline const std::string kCluster = "envoy.config.cluster.v3.Cluster";
inline const std::string kEndpoints = "envoy.config.endpoint.v3.ClusterLoadAssignment";
inline const std::string kListener = "envoy.config.listener.v3.Listener";
inline const std::string kRoutes = "envoy.config.route.v3.RouteConfiguration";

inline std::string resource(const std::string& type, const std::string& fields) {
  return "{'@type': type.googleapis.com/" + type + ", " + fields + "}";
}
inline std::string static_cluster(const std::string& name, int port = 9000) {
  return resource(kCluster, "name: " + name + ", load_assignment: {cluster_name: " + name +
                                ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: "
                                "127.0.0.1, port_value: " +
                                std::to_string(port) + "}}}}]}]}");
}
inline std::string eds_cluster(const std::string& name, const std::string& more = "") {
  return resource(kCluster, "name: " + name + ", type: EDS, eds_cluster_config: {eds_config: {ads: {}" + more + "}}");
}
inline std::string endpoints(const std::string& name, int port) {
  return resource(kEndpoints, "cluster_name: " + name +
                                  ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: "
                                  "127.0.0.1, port_value: " +
                                  std::to_string(port) + "}}}}]}]");
}
inline std::string routes(const std::string& name, const std::string& cluster, const std::string& more = "") {
  return resource(kRoutes, "name: " + name +
                               ", virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
                               "{cluster: " +
                               cluster + "}}]}]" + more);
}
inline std::string listener(const std::string& name, int port, const std::string& route_specifier) {
  return resource(
      kListener,
      "name: " + name + ", address: {socket_address: {address: 127.0.0.1, port_value: " + std::to_string(port) +
          "}}, filter_chains: [{filters: [{name: http, typed_config: {'@type': type.googleapis.com/"
          "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: x, " +
          route_specifier +
          ", http_filters: [{name: router, typed_config: {'@type': type.googleapis.com/"
          "envoy.extensions.filters.http.router.v3.Router}}]}}]}]");
}
// A listener's own routes.
inline std::string own_routes(const std::string& cluster) {
  const std::string text = routes("own", cluster);
  return "route_config: {" + text.substr(text.find("name: "));
}
inline std::string rds(const std::string& name) {
  return "rds: {route_config_name: " + name + ", config_source: {ads: {}}}";
}

inline ResourceUpdate update(ResourceType type, const std::vector<std::string>& resources,
                             const std::string& version = "1") {
  std::string text = "{version_info: '" + version + "', resources: [";
  for (const std::string& each : resources) {
    text += each + ", ";
  }
  auto read = read_text_response(text + "]}", "test", type);
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  if (!read) {
    return {};
  }
  for (const Rejection& each : read->rejections) {
    ADD_FAILURE() << each.name << ": " << each.reason;
  }
  return std::move(read->update);
}

inline xds::Bootstrap bootstrap(const std::string& more = "") {
  const std::string text =
      "node: {id: node-1, cluster: c}\n"
      "dynamic_resources:\n"
      "  ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: "
      "control}}]}\n"
      "  cds_config: {ads: {}}\n"
      "  lds_config: {ads: {}}\n"
      "static_resources:\n"
      "  clusters:\n"
      "  - name: control\n"
      "    http2_protocol_options: {}\n"
      "    load_assignment: {cluster_name: control, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: "
      "{address: 127.0.0.1, port_value: 18000}}}}]}]}\n" +
      more;
  auto read = xds::read_bootstrap(text, "b.yaml", {});
  if (!read) {
    for (const auto& error : read.error()) {
      ADD_FAILURE() << error.to_string();
    }
    return {};
  }
  return std::move(*read);
}

// A builder in a simulated loop.
struct World {
  explicit World(const std::string& more = "")
      : builder(loop, bootstrap(more),
                {.publish = [this](auto next) { published.push_back(std::move(next)); }, .references_changed = {}}) {
    loop.settle();
  }

  std::vector<Rejection> set(ResourceType type, const std::vector<std::string>& resources, bool whole = false) {
    ResourceUpdate next = update(type, resources);
    next.whole = whole;
    auto rejections = builder.apply(next);
    loop.settle();
    return rejections;
  }
  std::vector<Rejection> remove(ResourceType type, const std::vector<std::string>& names) {
    ResourceUpdate next;
    next.type = type;
    next.removed = names;
    auto rejections = builder.apply(next);
    loop.settle();
    return rejections;
  }
  const model::Snapshot& now() const { return *published.back(); }
  std::shared_ptr<const model::Listener> find_listener(std::string_view name) const {
    for (const auto& each : now().listeners) {
      if (each->name == name) {
        return each;
      }
    }
    return nullptr;
  }
  std::shared_ptr<const model::Cluster> find_cluster(const std::string& name) const {
    const auto found = now().clusters.find(name);
    return found == now().clusters.end() ? nullptr : found->second;
  }

  sim::SimLoop loop{1};
  std::vector<std::shared_ptr<const model::Snapshot>> published;
  SnapshotBuilder builder;
};

}  // namespace remora::sources::testing
