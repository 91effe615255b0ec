#include "control/server/footprint.h"

#include <set>
#include <string>

namespace remora::control {

// From service to service, each once.
class FootprintWalk {
 public:
  FootprintWalk(const catalog::Catalog& catalog, Footprint& into) : catalog_(catalog), into_(into) {}

  void run(std::string_view service) {
    reach(service);
    reach("*");  // entries for every service
    if (catalog_.proxy_defaults != nullptr) {
      into_.parts_.push_back(catalog_.proxy_defaults);
      mirrors(catalog_.proxy_defaults->config.extensions);
    }
    own(service);
    while (!waiting_.empty()) {
      const std::string next = *waiting_.begin();
      waiting_.erase(waiting_.begin());
      visit(next);
    }
    into_.services_.erase("*");
  }

 private:
  void reach(std::string_view service) {
    if (!service.empty() && into_.services_.emplace(service).second) {
      waiting_.emplace(service);
    }
  }

  void mirrors(const catalog::Extensions& extensions) {
    if (extensions.request_mirror_policies) {
      for (const catalog::Mirror& mirror : *extensions.request_mirror_policies) {
        reach(mirror.service);
      }
    }
  }

  // What only its own proxies follow: whom it calls.
  void own(std::string_view service) {
    for (const catalog::Service& instance : catalog_.instances(service)) {
      if (!instance.sidecar) {
        continue;
      }
      mirrors(instance.sidecar->proxy.config.extensions);
      for (const catalog::Upstream& upstream : instance.sidecar->proxy.upstreams) {
        reach(upstream.destination_name);
        mirrors(upstream.config.extensions);
      }
    }
    if (const catalog::ServiceDefaults* defaults = catalog_.defaults_of(service)) {
      if (defaults->upstream_defaults) {
        mirrors(defaults->upstream_defaults->extensions);
      }
      for (const catalog::UpstreamSettings& settings : defaults->upstream_overrides) {
        mirrors(settings.extensions);
      }
    }
  }

  template <typename T>
  std::shared_ptr<const T> part(const catalog::ByName<T>& by_name, const std::string& name) {
    const auto found = by_name.find(name);
    auto value = found == by_name.end() ? nullptr : found->second;
    into_.parts_.push_back(value);  // null too: that there is none is a fact as well
    return value;
  }

  void visit(const std::string& name) {
    part(catalog_.services, name);
    part(catalog_.held, name);
    part(catalog_.intentions, name);
    if (const auto defaults = part(catalog_.service_defaults, name)) {
      mirrors(defaults->extensions);
    }
    if (const auto router = part(catalog_.routers, name)) {
      for (const catalog::Route& route : router->routes) {
        reach(route.destination.service);
        mirrors(route.extensions);
      }
    }
    if (const auto splitter = part(catalog_.splitters, name)) {
      for (const catalog::Split& split : splitter->splits) {
        reach(split.service);
      }
    }
    if (const auto resolver = part(catalog_.resolvers, name)) {
      if (resolver->redirect) {
        reach(resolver->redirect->service);
      }
      for (const auto& [subset, failover] : resolver->failover) {
        reach(failover.service);
        for (const catalog::FailoverTarget& target : failover.targets) {
          reach(target.service);
        }
      }
    }
  }

  const catalog::Catalog& catalog_;
  Footprint& into_;
  std::set<std::string> waiting_;
};

Footprint::Footprint(const catalog::Catalog& catalog, std::string_view service)
    : datacenter_(catalog.datacenter), allow_by_default_(catalog.allow_by_default), complete_(catalog.complete) {
  FootprintWalk(catalog, *this).run(service);
}

}  // namespace remora::control
