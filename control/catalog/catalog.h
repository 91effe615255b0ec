// Catalog: the mesh as people wrote it, services and config entries, as one immutable value. Its parts are shared: a
// new catalog points at the old one's parts where nothing changed, so that equal pointers mean "unchanged" to whoever
// caches by them. Built by sources (folder_catalog, consul_catalog), read by control/translate; any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalog/proxy_defaults.h"
#include "control/catalog/service.h"
#include "control/catalog/service_defaults.h"
#include "control/catalog/service_intentions.h"
#include "control/catalog/service_resolver.h"
#include "control/catalog/service_router.h"
#include "control/catalog/service_splitter.h"

namespace remora::catalog {

template <typename T>
using ByName = std::map<std::string, std::shared_ptr<const T>, std::less<>>;

using Instances = std::vector<Service>;  // of one service, as written; from Consul, by node and id

// Which protocol a service speaks, and so which of Consul's entries it may have.
enum class Protocol : std::uint8_t { tcp, http, http2, grpc };
constexpr bool is_http(Protocol protocol) { return protocol != Protocol::tcp; }

struct Catalog {
  std::string datacenter = "dc1";  // the own one
  ByName<Instances> services;
  ByName<ServiceDefaults> service_defaults;
  ByName<ServiceRouter> routers;
  ByName<ServiceSplitter> splitters;
  ByName<ServiceResolver> resolvers;
  ByName<ServiceIntentions> intentions;                 // by destination
  std::shared_ptr<const ProxyDefaults> proxy_defaults;  // never null once read: a default when nobody wrote one
  // What holds where no intention matches. Consul: its agent's; a mesh file: deny once it holds any intention.
  bool allow_by_default = true;
  // Instances are watched by the proxies themselves (Consul) or are all here (a mesh file).
  bool complete = true;
  // Of Consul's: the services of whose instances it has said anything yet.
  std::set<std::string, std::less<>> heard;
  // What was known before an outage of Consul, for a while after it: see translate::members_of.
  ByName<Instances> held;

  std::span<const Service> instances(std::string_view service) const;
  std::span<const Service> held_instances(std::string_view service) const;
  bool has_heard(std::string_view service) const { return complete || heard.contains(service); }
  // By service and id; an empty id: the first, or the only, instance. nullptr: there is none.
  const Service* find_instance(std::string_view service, std::string_view id) const;
  const ServiceDefaults* defaults_of(std::string_view service) const;
  const ServiceRouter* router_of(std::string_view service) const;
  const ServiceSplitter* splitter_of(std::string_view service) const;
  const ServiceResolver* resolver_of(std::string_view service) const;
  const ServiceIntentions* intentions_of(std::string_view destination) const;

  // service-defaults' (which is tcp when they say none); without any, proxy-defaults' config.protocol, else tcp.
  Protocol protocol_of(std::string_view service) const;
  // Is it a name that something here speaks of as its own: an instance, or any config entry of that name?
  bool knows(std::string_view service) const;
};

using CatalogPtr = std::shared_ptr<const Catalog>;

// "http" → http; a word that Consul does not know is tcp, as in Consul.
Protocol protocol_of_word(std::string_view word);
std::string_view to_string(Protocol protocol);

}  // namespace remora::catalog
