#include "control/explain/route_finder.h"

#include <fmt/format.h>

#include "control/translate/translate.h"
#include "core/base/arena.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/routing/rewrite.h"
#include "proxy/routing/route_table.h"
#include "proxy/xds/bootstrap.h"

namespace remora::explain {
namespace {

namespace ext = envoy::extensions;
using RouteConfiguration = envoy::config::route::v3::RouteConfiguration;

// A bootstrap of one listener with these routes, whose clusters need not be there.
std::string bootstrap_with(RouteConfiguration routes) {
  routes.mutable_validate_clusters()->set_value(false);
  for (auto& host : *routes.mutable_virtual_hosts()) {
    for (auto& route : *host.mutable_routes()) {
      if (route.has_route()) {
        route.mutable_route()->clear_hash_policy();  // decides nothing here
      }
    }
  }
  ext::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
  manager.set_stat_prefix("explain");
  *manager.mutable_route_config() = std::move(routes);
  auto& router = *manager.add_http_filters();
  router.set_name("envoy.filters.http.router");
  router.mutable_typed_config()->PackFrom(ext::filters::http::router::v3::Router());
  envoy::config::listener::v3::Listener listener;
  listener.set_name("explain");
  listener.mutable_address()->mutable_socket_address()->set_address("127.0.0.1");
  listener.mutable_address()->mutable_socket_address()->set_port_value(1);
  auto& filter = *listener.add_filter_chains()->add_filters();
  filter.set_name("envoy.filters.network.http_connection_manager");
  filter.mutable_typed_config()->PackFrom(manager);
  translate::Resources resources;
  resources.listeners["explain"] = std::make_shared<const envoy::config::listener::v3::Listener>(std::move(listener));
  translate::ProxyIdentity identity;
  identity.service = "explain";
  return translate::static_bootstrap(resources, identity);
}

}  // namespace

Result<Found> find_route(const RouteConfiguration& routes, const Question& question) {
  const auto snapshot = xds::load_bootstrap(bootstrap_with(routes), "explained", {});
  if (!snapshot) {
    return fail(fmt::format("a Remora would not take these routes: {}", snapshot.error().front().to_string()));
  }
  const routing::RouteTable table((*snapshot)->listeners.at(0)->http().routes);
  BlockPool pool;
  Arena arena(pool);
  http::RequestHead head(arena);
  head.method = question.method;
  head.method_id = http::method_id(question.method);
  head.authority = question.host;
  head.path = question.path;
  for (const auto& [name, value] : question.headers) {
    if (name == "host") {
      head.authority = value;
    } else {
      head.headers.add(name, value);
    }
  }
  const routing::Match match = table.match(head, 0);
  if (match.route == nullptr) {
    return fail("no route matches");
  }
  Found found;
  found.index = static_cast<std::size_t>(match.route - match.virtual_host->routes.data());
  found.name = match.route->name;
  for (std::size_t i = 0; i < found.index; ++i) {
    found.passed_over.push_back(match.virtual_host->routes[i].name);
  }
  if (const auto* action = std::get_if<model::RouteAction>(&match.route->action)) {
    if (const auto path = routing::rewrite_path(*match.route, *action, head.path, arena)) {
      found.sent_path = *path;
    }
  }
  return found;
}

}  // namespace remora::explain
