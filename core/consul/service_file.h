// A service definition as people write it for Consul, in YAML or JSON (snake_case, or Consul's CamelCase): what a proxy
// registers. Main thread. Source: Consul's "Services configuration reference".
//   service: {name: web, id: web-1, port: 21000, tags: [v1], meta: {version: "1"}, weights: {passing: 2},
//             check: {http: "http://127.0.0.1:9000/health", interval: 10s, timeout: 5s,
//                     deregister_critical_service_after: 1m}, proxy_ttl: 15s}
#pragma once

#include <string>
#include <string_view>

#include "core/config/config_error.h"
#include "core/consul/registration.h"

namespace remora::consul {

// All that is wrong goes to `errors`, each with file, line, path and what was expected. `service:` around it may be
// left out.
ServiceDefinition parse_service(std::string_view text, const std::string& file, config::ConfigErrors& errors);

}  // namespace remora::consul
