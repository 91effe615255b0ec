#include "proxy/xds/resources.h"

#include <fmt/format.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "proxy/xds/known_names.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace endpoint_v3 = envoy::config::endpoint::v3;
namespace listener_v3 = envoy::config::listener::v3;

const std::string& name_of(const cluster_v3::Cluster& message) { return message.name(); }
const std::string& name_of(const endpoint_v3::ClusterLoadAssignment& message) { return message.cluster_name(); }
const std::string& name_of(const listener_v3::Listener& message) { return message.name(); }
const std::string& name_of(const route_v3::RouteConfiguration& message) { return message.name(); }

// Unpacks, looks for what we do not know, and lets `read(scope, message)` make the value.
template <typename Message, typename Reader>
auto read_one(std::string_view name, const pb::Any& body, Reader&& read)
    -> Read<decltype(read(std::declval<const Scope&>(), std::declval<const Message&>()))> {
  supported_extensions();  // the generated pool learns them
  config::Context context;
  const Scope root(context);
  Message message;
  if (any_type_name(body) != message.GetDescriptor()->full_name()) {
    root.error(fmt::format("is a {}, not a {}", any_type_name(body), message.GetDescriptor()->full_name()));
    return std::unexpected(std::move(context.errors));
  }
  if (!message.ParseFromString(body.value())) {
    root.error(fmt::format("its bytes are no {}", message.GetDescriptor()->full_name()));
    return std::unexpected(std::move(context.errors));
  }
  check_all_known(root, message);
  if (name_of(message).empty()) {
    root.error("has no name");
  } else if (!name.empty() && name_of(message) != name) {
    root.error(fmt::format("calls itself '{}' inside", name_of(message)));
  }
  auto result = read(root, message);
  if (!context.errors.empty()) {
    return std::unexpected(std::move(context.errors));
  }
  return result;
}

template <typename Message>
std::string name_in(const pb::Any& body) {
  Message message;
  return message.ParseFromString(body.value()) ? name_of(message) : std::string();
}

}  // namespace

Read<ClusterResource> read_cluster(std::string_view name, const pb::Any& body, const Environment& environment) {
  return read_one<cluster_v3::Cluster>(name, body, [&](const Scope& scope, const cluster_v3::Cluster& message) {
    ClusterResource result;
    result.cluster = read_cluster(scope, message, environment, result.eds);
    return result;
  });
}

Read<Endpoints> read_endpoints(std::string_view name, const pb::Any& body) {
  return read_one<endpoint_v3::ClusterLoadAssignment>(
      name, body, [](const Scope& scope, const endpoint_v3::ClusterLoadAssignment& message) {
        return read_endpoints(scope, message, nullptr);
      });
}

Read<ListenerResource> read_listener(std::string_view name, const pb::Any& body, const Environment& environment) {
  return read_one<listener_v3::Listener>(name, body, [&](const Scope& scope, const listener_v3::Listener& message) {
    return read_listener_resource(scope, message, environment);
  });
}

Read<RouteResource> read_route_config(std::string_view name, const pb::Any& body, const Environment& environment) {
  return read_one<route_v3::RouteConfiguration>(name, body,
                                                [&](const Scope& scope, const route_v3::RouteConfiguration& message) {
                                                  RouteResource result;
                                                  result.routes = read_routes(scope, message, environment);
                                                  result.clusters = clusters_of(*result.routes);
                                                  result.validate = result.routes->validate_clusters;
                                                  return result;
                                                });
}

ListenerResource read_listener_resource(const Scope& scope, const listener_v3::Listener& message,
                                        const Environment& environment) {
  ListenerResource result;
  result.listener = read_listener(scope, message, environment, result.rds);
  if (const model::TcpProxy* tcp = result.listener->tcp(); tcp != nullptr) {
    for (const auto& target : tcp->targets) {
      result.clusters.insert(target.cluster);
    }
  } else if (const auto& routes = result.listener->http().routes; routes != nullptr) {
    result.clusters = clusters_of(*routes);
    result.validate = routes->validate_clusters;
  }
  return result;
}

std::string resource_name(const pb::Any& body) {
  const std::string type = any_type_name(body);
  if (type == cluster_v3::Cluster::descriptor()->full_name()) {
    return name_in<cluster_v3::Cluster>(body);
  }
  if (type == endpoint_v3::ClusterLoadAssignment::descriptor()->full_name()) {
    return name_in<endpoint_v3::ClusterLoadAssignment>(body);
  }
  if (type == listener_v3::Listener::descriptor()->full_name()) {
    return name_in<listener_v3::Listener>(body);
  }
  if (type == route_v3::RouteConfiguration::descriptor()->full_name()) {
    return name_in<route_v3::RouteConfiguration>(body);
  }
  return {};
}

std::string reason(const config::ConfigErrors& errors) {
  std::string result;
  for (const config::ConfigError& error : errors) {
    result += result.empty() ? "" : "\n";
    result += error.path.empty() ? error.message : fmt::format("{}: {}", error.path, error.message);
  }
  return result;
}

std::set<std::string> clusters_of(const model::RouteConfiguration& routes) {
  std::set<std::string> result;
  for (const model::VirtualHost& host : routes.virtual_hosts) {
    for (const model::Route& route : host.routes) {
      if (const auto* action = std::get_if<model::RouteAction>(&route.action)) {
        for (const model::WeightedCluster& cluster : action->clusters) {
          result.insert(cluster.name);
        }
      }
    }
  }
  return result;
}

}  // namespace remora::xds
