#include "proxy/prepared.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace remora::proxy {
namespace {

// Where a listener of the same name that asked for any port got one.
Address address_of(const model::Listener& config, const Prepared* before) {
  if (before != nullptr && config.address.is_ip() && config.address.port() == 0) {
    const auto found = std::ranges::find_if(before->listeners, [&](const PreparedListener& each) {
      return each.config->name == config.name && each.config->address == config.address && each.open;
    });
    if (found != before->listeners.end()) {
      return found->address;
    }
  }
  return config.address;
}

}  // namespace

Prepared prepare(std::shared_ptr<const model::Snapshot> snapshot, upstream::SharedState& shared,
                 const Prepared* before) {
  Prepared prepared;
  std::unordered_map<const model::RouteConfiguration*, std::shared_ptr<const routing::RouteTable>> tables;
  if (before != nullptr) {
    for (const PreparedListener& listener : before->listeners) {
      if (listener.routes) {
        tables.emplace(&listener.routes->configuration(), listener.routes);
      }
    }
  }
  for (const auto& config : snapshot->listeners) {
    if (!config->bind_to_port) {
      continue;
    }
    PreparedListener listener{.config = config, .routes = nullptr, .address = address_of(*config, before)};
    if (config->tcp() == nullptr) {
      const auto& routes = config->http().routes;
      auto& table = tables[routes.get()];
      if (!table) {
        table = std::make_shared<const routing::RouteTable>(routes);
      }
      listener.routes = table;
    }
    prepared.listeners.push_back(std::move(listener));
  }
  prepared.clusters = shared.prepare(*snapshot);
  prepared.snapshot = std::move(snapshot);
  return prepared;
}

}  // namespace remora::proxy
