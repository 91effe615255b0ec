// Names that lead nowhere, and subsets that do not exist.
#include <fmt/format.h>

#include <vector>

#include "control/catalog/findings.h"
#include "core/base/nearest.h"

namespace remora::catalog {
namespace {

class References {
 public:
  References(const Catalog& catalog, Report& report) : catalog_(catalog), report_(report) {
    for (const auto& [name, instances] : catalog.services) {
      names_.push_back(name);
    }
    for (const auto& [name, resolver] : catalog.resolvers) {
      names_.push_back(name);
    }
  }

  // A service that gets requests. `elsewhere`: in another datacenter, which a mesh file does not hold.
  void service(const Place& place, std::string_view who, const std::string& name, bool elsewhere = false) {
    // What Consul knows of, its proxies watch: an answer here holds only the services that somebody asked for.
    if (!catalog_.complete || elsewhere || report_.full() || leads_somewhere(name)) {
      return;
    }
    report_.error(place, fmt::format("{} '{}', but there is no such service{}", who, name, did_you_mean(name, names_)));
  }

  void subset(const Place& place, const std::string& service, const std::string& name) {
    if (name.empty()) {
      return;
    }
    const ServiceResolver* resolver = catalog_.resolver_of(service);
    if (resolver != nullptr && resolver->subsets.contains(name)) {
      return;
    }
    std::vector<std::string_view> known;
    if (resolver != nullptr) {
      for (const auto& [subset, definition] : resolver->subsets) {
        known.push_back(subset);
      }
    }
    report_.error(place,
                  fmt::format("the subset '{}' of '{}' is not defined{}; {}", name, service, did_you_mean(name, known),
                              known.empty() ? "no service-resolver of it has `subsets`"
                                            : fmt::format("its service-resolver has {}", fmt::join(known, ", "))));
  }

 private:
  // Instances, or a resolver or splitter or router that sends it on (to what is checked where it is written).
  bool leads_somewhere(std::string_view name) const {
    const ServiceResolver* resolver = catalog_.resolver_of(name);
    return !catalog_.instances(name).empty() || catalog_.splitters.contains(name) ||
           (resolver != nullptr && (resolver->redirect.has_value() || !resolver->failover.empty()));
  }

  const Catalog& catalog_;
  Report& report_;
  std::vector<std::string_view> names_;
};

std::string either(const std::string& written, const std::string& otherwise) {
  return written.empty() ? otherwise : written;
}

void check_mirrors(const Place& place, const Extensions& extensions, References& references) {
  if (extensions.request_mirror_policies) {
    for (const Mirror& mirror : *extensions.request_mirror_policies) {
      references.service(place, "copies go to", mirror.service);
      references.subset(place, mirror.service, mirror.service_subset);
    }
  }
}

void check_resolver(const Catalog& catalog, const ServiceResolver& resolver, References& references) {
  const std::string& own = resolver.head.name;
  const auto elsewhere = [&](const std::string& datacenter) {
    return !datacenter.empty() && datacenter != catalog.datacenter;
  };
  if (resolver.redirect) {
    const Redirect& redirect = *resolver.redirect;
    const bool away = elsewhere(redirect.datacenter);
    references.service(redirect.place, "redirects to", either(redirect.service, own), away);
    references.subset(redirect.place, either(redirect.service, own), redirect.service_subset);
  }
  for (const auto& [subset, failover] : resolver.failover) {
    if (!failover.service.empty()) {
      references.service(failover.place, "fails over to", failover.service, !failover.datacenters.empty());
      references.subset(failover.place, failover.service, failover.service_subset);
    }
    for (const FailoverTarget& target : failover.targets) {
      if (!target.service.empty()) {
        references.service(target.place, "fails over to", target.service, elsewhere(target.datacenter));
        references.subset(target.place, target.service, target.service_subset);
      }
    }
  }
}

void check_service(const Catalog& catalog, const Service& service, References& references) {
  if (!service.sidecar) {
    return;
  }
  for (const Upstream& upstream : service.sidecar->proxy.upstreams) {
    if (upstream.destination_type == Upstream::DestinationType::service) {
      const bool away = !upstream.datacenter.empty() && upstream.datacenter != catalog.datacenter;
      references.service(upstream.place, "calls", upstream.destination_name, away);
    }
    check_mirrors(upstream.place, upstream.config.extensions, references);
  }
}

}  // namespace

void check_references(const Catalog& catalog, Report& report) {
  References references(catalog, report);
  for (const auto& [name, instances] : catalog.services) {
    for (const Service& service : *instances) {
      check_service(catalog, service, references);
    }
  }
  for (const auto& [name, router] : catalog.routers) {
    for (const Route& route : router->routes) {
      references.service(route.place, "routes to", either(route.destination.service, name));
      references.subset(route.place, either(route.destination.service, name), route.destination.service_subset);
      check_mirrors(route.place, route.extensions, references);
    }
  }
  for (const auto& [name, splitter] : catalog.splitters) {
    for (const Split& split : splitter->splits) {
      if (!split.service.empty() && split.service != name) {
        references.service(split.place, "gives a share to", split.service);
      }
      references.subset(split.place, either(split.service, name), split.service_subset);
    }
  }
  for (const auto& [name, resolver] : catalog.resolvers) {
    check_resolver(catalog, *resolver, references);
  }
  for (const auto& [name, defaults] : catalog.service_defaults) {
    check_mirrors(defaults->head.place, defaults->extensions, references);
    for (const UpstreamSettings& upstream : defaults->upstream_overrides) {
      references.service(upstream.place, "overrides how it calls", upstream.name);
    }
  }
}

}  // namespace remora::catalog
