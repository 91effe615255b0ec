// Exposed paths: paths of the service that anybody may ask for past the mesh (a scraper, an orchestrator's probe): a
// listener for each, with one exact path. Written in `expose` of the proxy, of service-defaults or of proxy-defaults;
// the first of these that says anything holds. Pure functions; any thread. Source: Consul's agent/xds/listeners.go
// (makeExposedCheckListener), clusters.go (makeExposedCheck…).
#pragma once

#include <string>

#include "control/catalog/catalog.h"
#include "control/translate/translate.h"
#include "envoy/config/route/v3/route.pb.h"

namespace remora::translate {

const catalog::Expose& expose_of(const catalog::Catalog& catalog, const catalog::Service& service);

// "exposed/web:21500": of the listener and its route configuration.
std::string exposed_name(const catalog::Service& service, const catalog::ExposePath& path);
// "local_app:9102"
std::string exposed_cluster(const catalog::ExposePath& path);

envoy::config::route::v3::RouteConfiguration make_exposed_routes(const catalog::Service& service,
                                                                 const catalog::ExposePath& path);

}  // namespace remora::translate
