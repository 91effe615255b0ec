#include "control/catalog/catalog.h"

#include <algorithm>

namespace remora::catalog {
namespace {

template <typename T>
const T* find(const ByName<T>& map, std::string_view name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : found->second.get();
}

}  // namespace

std::span<const Service> Catalog::instances(std::string_view service) const {
  const Instances* found = find(services, service);
  return found == nullptr ? std::span<const Service>() : std::span<const Service>(*found);
}

std::span<const Service> Catalog::held_instances(std::string_view service) const {
  const Instances* found = find(held, service);
  return found == nullptr ? std::span<const Service>() : std::span<const Service>(*found);
}

const Service* Catalog::find_instance(std::string_view service, std::string_view id) const {
  const auto all = instances(service);
  const auto found = std::ranges::find_if(all, [&](const Service& one) { return id.empty() || one.id == id; });
  return found == all.end() ? nullptr : &*found;
}

const ServiceDefaults* Catalog::defaults_of(std::string_view service) const { return find(service_defaults, service); }
const ServiceRouter* Catalog::router_of(std::string_view service) const { return find(routers, service); }
const ServiceSplitter* Catalog::splitter_of(std::string_view service) const { return find(splitters, service); }
const ServiceResolver* Catalog::resolver_of(std::string_view service) const { return find(resolvers, service); }
const ServiceIntentions* Catalog::intentions_of(std::string_view destination) const {
  return find(intentions, destination);
}

Protocol Catalog::protocol_of(std::string_view service) const {
  if (const ServiceDefaults* defaults = defaults_of(service)) {
    return protocol_of_word(defaults->protocol);  // none said is tcp, as in Consul, whatever proxy-defaults say
  }
  return proxy_defaults == nullptr ? Protocol::tcp : protocol_of_word(proxy_defaults->config.protocol);
}

bool Catalog::knows(std::string_view service) const {
  return services.contains(service) || service_defaults.contains(service) || routers.contains(service) ||
         splitters.contains(service) || resolvers.contains(service);
}

Protocol protocol_of_word(std::string_view word) {
  return word == "http"    ? Protocol::http
         : word == "http2" ? Protocol::http2
         : word == "grpc"  ? Protocol::grpc
                           : Protocol::tcp;
}

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::tcp:
      return "tcp";
    case Protocol::http:
      return "http";
    case Protocol::http2:
      return "http2";
    case Protocol::grpc:
      return "grpc";
  }
  return "tcp";
}

}  // namespace remora::catalog
