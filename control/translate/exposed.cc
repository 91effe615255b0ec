#include "control/translate/exposed.h"

#include <fmt/format.h>

#include "control/translate/clusters.h"

namespace remora::translate {

const catalog::Expose& expose_of(const catalog::Catalog& catalog, const catalog::Service& service) {
  static const catalog::Expose kNothing{};
  const auto says = [](const catalog::Expose& one) { return one.checks || !one.paths.empty(); };
  if (service.sidecar && says(service.sidecar->proxy.expose)) {
    return service.sidecar->proxy.expose;
  }
  const catalog::ServiceDefaults* defaults = catalog.defaults_of(service.name);
  if (defaults != nullptr && says(defaults->expose)) {
    return defaults->expose;
  }
  return catalog.proxy_defaults != nullptr ? catalog.proxy_defaults->expose : kNothing;
}

std::string exposed_name(const catalog::Service& service, const catalog::ExposePath& path) {
  return fmt::format("exposed/{}:{}", service.name, path.listener_port);
}

std::string exposed_cluster(const catalog::ExposePath& path) {
  return fmt::format("{}:{}", kLocalApp, path.local_path_port);
}

envoy::config::route::v3::RouteConfiguration make_exposed_routes(const catalog::Service& service,
                                                                 const catalog::ExposePath& path) {
  envoy::config::route::v3::RouteConfiguration result;
  result.set_name(exposed_name(service, path));
  auto& host = *result.add_virtual_hosts();
  host.set_name(service.name);
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.set_name(fmt::format("{}:={}", service.name, path.path));
  route.mutable_match()->set_path(path.path);
  route.mutable_route()->set_cluster(exposed_cluster(path));
  return result;
}

}  // namespace remora::translate
