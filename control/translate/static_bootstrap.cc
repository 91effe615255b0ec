#include <fmt/format.h>

#include <charconv>

#include "control/translate/protos.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace remora::translate {
namespace {

namespace listener_v3 = envoy::config::listener::v3;
namespace route_v3 = envoy::config::route::v3;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

// A listener with its routes in it, instead of their name.
listener_v3::Listener with_routes(const listener_v3::Listener& from, const ByName& routes) {
  listener_v3::Listener result = from;
  for (auto& chain : *result.mutable_filter_chains()) {
    for (auto& filter : *chain.mutable_filters()) {
      HttpConnectionManager manager;
      if (!filter.typed_config().Is<HttpConnectionManager>() || !filter.typed_config().UnpackTo(&manager)) {
        continue;
      }
      if (const auto found = routes.find(manager.rds().route_config_name()); found != routes.end()) {
        *manager.mutable_route_config() = dynamic_cast<const route_v3::RouteConfiguration&>(*found->second);
        *filter.mutable_typed_config() = pack(manager);
      }
    }
  }
  return result;
}

}  // namespace

std::string static_bootstrap(const Resources& resources, const ProxyIdentity& identity, const std::string& admin) {
  envoy::config::bootstrap::v3::Bootstrap result;
  result.mutable_node()->set_id(identity.id.empty() ? identity.service : identity.id);
  result.mutable_node()->set_cluster(identity.service);
  if (const std::size_t colon = admin.rfind(':'); colon != std::string::npos) {
    std::uint16_t port = 0;
    std::from_chars(admin.data() + colon + 1, admin.data() + admin.size(), port);
    set_address(*result.mutable_admin()->mutable_address(), admin.substr(0, colon), port);
  }
  for (const auto& [name, listener] : resources.listeners) {
    *result.mutable_static_resources()->add_listeners() =
        with_routes(dynamic_cast<const listener_v3::Listener&>(*listener), resources.routes);
  }
  for (const auto& [name, cluster] : resources.clusters) {
    *result.mutable_static_resources()->add_clusters() =
        dynamic_cast<const envoy::config::cluster::v3::Cluster&>(*cluster);
  }
  return json_of(result);
}

}  // namespace remora::translate
