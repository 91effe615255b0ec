// Services that somebody calls, and that nobody can reach: without a port.
#include <fmt/format.h>

#include <set>
#include <string>

#include "control/catalog/findings.h"

namespace remora::catalog {
namespace {

using Names = std::set<std::string, std::less<>>;

// Whatever an upstream, a route, a split, a redirect or a failover names.
Names called_in(const Catalog& catalog) {
  Names called;
  for (const auto& [name, instances] : catalog.services) {
    for (const Service& service : *instances) {
      if (service.sidecar) {
        for (const Upstream& upstream : service.sidecar->proxy.upstreams) {
          called.insert(upstream.destination_name);
        }
      }
    }
  }
  for (const auto& [name, router] : catalog.routers) {
    for (const Route& route : router->routes) {
      called.insert(route.destination.service);
    }
  }
  for (const auto& [name, splitter] : catalog.splitters) {
    for (const Split& split : splitter->splits) {
      called.insert(split.service);
    }
  }
  for (const auto& [name, resolver] : catalog.resolvers) {
    if (resolver->redirect) {
      called.insert(resolver->redirect->service);
    }
    for (const auto& [subset, failover] : resolver->failover) {
      called.insert(failover.service);
      for (const FailoverTarget& target : failover.targets) {
        called.insert(target.service);
      }
    }
  }
  return called;
}

}  // namespace

void check_reachable(const Catalog& catalog, Report& report) {
  if (!catalog.complete) {
    return;  // Consul's agents give a sidecar its port
  }
  for (const std::string& name : called_in(catalog)) {
    for (const Service& service : catalog.instances(name)) {
      if (service.sidecar && service.sidecar->port == 0 && service.sidecar->proxy.config.bind_port == 0) {
        report.error(
            service.sidecar->place,
            fmt::format("needs a port, where the callers of '{}' reach it (Consul would pick one from 21000; a "
                        "file has nobody who would)",
                        name));
      } else if (!service.sidecar && service.port == 0 && service.socket_path.empty()) {
        report.error(service.place, fmt::format("'{}' is called, but has neither a port nor a socket_path", name));
      }
    }
  }
}

}  // namespace remora::catalog
