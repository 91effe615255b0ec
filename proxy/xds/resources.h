// One xDS resource alone into the model: what the SnapshotBuilder asks for each that a source brings. All that is wrong
// with it is found in one go. Pure functions; main thread.
// Source: envoy.config.{cluster,endpoint,listener,route}.v3.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config_error.h"
#include "proxy/model/cluster.h"
#include "proxy/model/listener.h"
#include "proxy/xds/config_source.h"

namespace google::protobuf {
class Any;
}

namespace remora::xds {

// A part of a resource that is another resource: its name, and where it comes from.
struct Reference {
  std::string name;
  ConfigSource source;
};

// What a resource may refer to, and takes from around it.
struct Environment {
  const std::set<std::string>* clusters = nullptr;          // that routes may name; null: not checked here
  const std::set<std::string>* control_clusters = nullptr;  // that may serve resources; null: not checked here
  const std::set<std::string>* serving = nullptr;           // that the bootstrap's sources name: HTTP/2, for gRPC
  bool has_ads = false;
  std::string default_service;
};

struct ClusterResource {
  std::shared_ptr<const model::Cluster> cluster;
  std::optional<Reference> eds;  // brings its endpoints
};

struct Endpoints {
  std::vector<model::Endpoint> endpoints;
  std::optional<std::uint32_t> overprovisioning_factor = {};
  std::string why_empty = {};  // in words, where they were looked for in vain

  friend bool operator==(const Endpoints&, const Endpoints&) = default;
};

struct ListenerResource {
  std::shared_ptr<const model::Listener> listener;  // its routes are null where `rds` brings them
  std::optional<Reference> rds;
  std::set<std::string> clusters;  // that its own routes, or its TCP proxy, name
  bool validate = true;            // they must be there
};

struct RouteResource {
  std::shared_ptr<const model::RouteConfiguration> routes;
  std::set<std::string> clusters;  // that it names
  bool validate = true;            // validate_clusters is not false: they must be there
};

template <typename T>
using Read = std::expected<T, config::ConfigErrors>;

// `name`: the resource's name at its source; what it says of itself must agree.
Read<ClusterResource> read_cluster(std::string_view name, const google::protobuf::Any& body,
                                   const Environment& environment);
Read<Endpoints> read_endpoints(std::string_view name, const google::protobuf::Any& body);
Read<ListenerResource> read_listener(std::string_view name, const google::protobuf::Any& body,
                                     const Environment& environment);
Read<RouteResource> read_route_config(std::string_view name, const google::protobuf::Any& body,
                                      const Environment& environment);

// The name that a resource of a known type says of itself; empty: none, or its bytes are no such message.
std::string resource_name(const google::protobuf::Any& body);
// "filter_chains[0].filters: is required", one a line.
std::string reason(const config::ConfigErrors& errors);

std::set<std::string> clusters_of(const model::RouteConfiguration& routes);

}  // namespace remora::xds
