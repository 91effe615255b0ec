// The second half of SnapshotBuilder: which version of what serves now, and the snapshot of it.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/sources/snapshot_builder.h"

namespace remora::sources {
namespace {

constexpr Milliseconds kDiscoveryTimeout{15'000};  // for the first answer of DNS or Consul

struct WarmingTimeout {
  Milliseconds operator()(const model::StaticDiscovery&) const { return Milliseconds(0); }
  Milliseconds operator()(const model::EdsDiscovery& eds) const { return eds.initial_fetch_timeout; }
  Milliseconds operator()(const model::DnsDiscovery&) const { return kDiscoveryTimeout; }
  Milliseconds operator()(const model::ConsulDiscovery&) const { return kDiscoveryTimeout; }
};

// Of a cluster that waited long enough.
std::shared_ptr<const xds::Endpoints> unheard() {
  static const auto endpoints = std::make_shared<const xds::Endpoints>(
      xds::Endpoints{.endpoints = {}, .why_empty = "nothing was heard of its endpoints yet"});
  return endpoints;
}

std::shared_ptr<const model::Cluster> with_endpoints(const model::Cluster& cluster, const xds::Endpoints& endpoints) {
  auto result = std::make_shared<model::Cluster>(cluster);
  result->endpoints.insert(result->endpoints.end(), endpoints.endpoints.begin(), endpoints.endpoints.end());
  if (result->endpoints.empty()) {
    result->why_empty = endpoints.why_empty;
  }
  if (endpoints.overprovisioning_factor) {
    result->overprovisioning_factor = *endpoints.overprovisioning_factor;
  }
  return result;
}

std::shared_ptr<const model::Listener> with_routes(const model::Listener& listener,
                                                   const std::shared_ptr<const model::RouteConfiguration>& routes) {
  auto result = std::make_shared<model::Listener>(listener);
  std::get<model::HttpConnectionManager>(result->chain).routes = routes;
  return result;
}

}  // namespace

void SnapshotBuilder::settle() {
  first_waits_ = 0;
  next_deadline_.reset();
  resolve_clusters();
  resolve_routes();
  resolve_listeners();
  drop_unreferenced();
  collect_wanted();
  if (next_deadline_) {
    loop_.arm(deadline_timer_, *next_deadline_ - loop_.now());
  }
  if (events_.references_changed) {
    events_.references_changed();
  }
  if (!held_) {
    publish();
  }
}

// Whether the entry has waited this long (0: as long as it takes); if not, settles again when it has.
bool SnapshotBuilder::waited(const Entry& entry, Milliseconds limit) {
  if (limit.count() == 0) {
    return false;
  }
  const MonotonicTime deadline = entry.since + limit;
  if (loop_.now() >= deadline) {
    return true;
  }
  next_deadline_ = next_deadline_ ? std::min(*next_deadline_, deadline) : deadline;
  return false;
}

// ---- clusters ----

std::shared_ptr<const xds::Endpoints> SnapshotBuilder::endpoints_of(const ClusterEntry& entry) const {
  if (const auto found = discovered_.find(entry.latest.cluster->name); found != discovered_.end()) {
    return found->second;
  }
  if (entry.latest.eds) {
    const auto found = endpoints_.find(entry.latest.eds->name);
    return found == endpoints_.end() ? nullptr : found->second.latest;
  }
  return nullptr;
}

void SnapshotBuilder::resolve_clusters() {
  for (auto& [name, entry] : clusters_) {
    if (entry.has_latest && !entry.gone) {
      resolve_cluster(name, entry);
    }
  }
}

void SnapshotBuilder::resolve_cluster(const std::string& name, ClusterEntry& entry) {
  const auto& base = entry.latest.cluster;
  auto endpoints = endpoints_of(entry);
  if (endpoints == nullptr && std::holds_alternative<model::StaticDiscovery>(base->discovery)) {
    entry.waits_for.clear();
    entry.serving = entry.made_of = base;
    entry.made_with = nullptr;
    return;
  }
  const auto not_found = not_found_.find(name);
  if (endpoints == nullptr && !entry.latest.eds && fallback_.contains(name) &&
      (not_found != not_found_.end() || waited(entry, kFallbackAfter))) {
    endpoints = fallback_.find(name)->second;
  }
  if (endpoints == nullptr && not_found != not_found_.end()) {
    endpoints = not_found->second;
  }
  if (endpoints == nullptr && !waited(entry, std::visit(WarmingTimeout{}, base->discovery))) {
    entry.waits_for = entry.latest.eds ? fmt::format("endpoints '{}'", entry.latest.eds->name)
                                       : fmt::format("endpoints of '{}' to be found", name);
    first_waits_ += entry.serving == nullptr ? 1 : 0;
    return;  // an older version goes on, with the endpoints that it had
  }
  entry.waits_for.clear();
  if (endpoints == nullptr && !entry.latest.eds) {
    endpoints = unheard();
  }
  if (entry.made_of != base || entry.made_with != endpoints || entry.serving == nullptr) {
    entry.serving = endpoints == nullptr ? base : with_endpoints(*base, *endpoints);
    entry.made_of = base;
    entry.made_with = std::move(endpoints);
  }
}

// ---- routes ----

// The first one of these that cannot be used yet; empty: all can.
std::string SnapshotBuilder::missing_cluster(const std::set<std::string>& names) const {
  for (const std::string& name : names) {
    const auto found = clusters_.find(name);
    if (found == clusters_.end() || found->second.serving == nullptr || found->second.gone) {
      return name;
    }
  }
  return {};
}

void SnapshotBuilder::resolve_routes() {
  for (auto& [name, entry] : routes_) {
    if (!entry.has_latest || (entry.serving && entry.serving->routes == entry.latest.routes)) {
      entry.waits_for.clear();
      continue;
    }
    const std::string missing = entry.latest.validate ? missing_cluster(entry.latest.clusters) : std::string();
    if (missing.empty() || (!entry.serving && waited(entry, kReferenceTimeout))) {
      entry.waits_for.clear();
      entry.serving = entry.latest;
      continue;
    }
    entry.waits_for = fmt::format("cluster '{}'", missing);
    first_waits_ += entry.serving ? 0 : 1;
  }
}

// ---- listeners ----

void SnapshotBuilder::resolve_listeners() {
  for (auto& [name, entry] : listeners_) {
    if (entry.has_latest && !entry.gone) {
      resolve_listener(name, entry);
    }
  }
}

void SnapshotBuilder::resolve_listener(const std::string&, ListenerEntry& entry) {
  const auto routes_of = [this](const xds::ListenerResource& resource) {
    const auto found = routes_.find(resource.rds->name);
    const bool serves = found != routes_.end() && found->second.serving;
    return serves ? found->second.serving->routes : nullptr;
  };
  if (!entry.serving_of || entry.serving_of->listener != entry.latest.listener) {
    const std::string missing = entry.latest.validate ? missing_cluster(entry.latest.clusters) : std::string();
    entry.waits_for.clear();
    if (entry.latest.rds && routes_of(entry.latest) == nullptr) {
      entry.waits_for = fmt::format("routes '{}'", entry.latest.rds->name);
    } else if (!missing.empty() && (entry.serving_of || !waited(entry, kReferenceTimeout))) {
      entry.waits_for = fmt::format("cluster '{}'", missing);
    } else {
      entry.serving_of = entry.latest;
      entry.serving = nullptr;
    }
  }
  if (!entry.serving_of) {
    ++first_waits_;
    return;
  }
  const auto routes = entry.serving_of->rds ? routes_of(*entry.serving_of) : nullptr;
  if (entry.serving_of->rds && (entry.serving == nullptr || entry.serving->http().routes != routes)) {
    entry.serving = with_routes(*entry.serving_of->listener, routes);
  } else if (entry.serving == nullptr) {
    entry.serving = entry.serving_of->listener;
  }
}

// ---- what goes ----

void SnapshotBuilder::drop_unreferenced() {
  std::erase_if(listeners_, [](const auto& each) {
    const ListenerEntry& entry = each.second;
    return entry.gone || (!entry.has_latest && !entry.failure);
  });
  std::set<std::string_view> routes;    // that a listener names
  std::set<std::string_view> clusters;  // that what serves, or waits to serve, names
  for (const auto& [name, entry] : listeners_) {
    for (const auto* version :
         {entry.has_latest ? &entry.latest : nullptr, entry.serving_of ? &*entry.serving_of : nullptr}) {
      if (version != nullptr) {
        clusters.insert(version->clusters.begin(), version->clusters.end());
        if (version->rds) {
          routes.insert(version->rds->name);
        }
      }
    }
  }
  std::erase_if(routes_, [&](const auto& each) { return !routes.contains(each.first); });
  for (const auto& [name, entry] : routes_) {
    if (entry.serving) {
      clusters.insert(entry.serving->clusters.begin(), entry.serving->clusters.end());
    }
  }
  std::erase_if(clusters_, [&](const auto& each) {
    return each.second.gone && !(each.second.serving != nullptr && clusters.contains(each.first));
  });
  std::set<std::string_view> services;
  for (const auto& [name, entry] : clusters_) {
    if (entry.has_latest && entry.latest.eds) {
      services.insert(entry.latest.eds->name);
    }
  }
  std::erase_if(endpoints_, [&](const auto& each) { return !services.contains(each.first); });
  for (auto* found : {&discovered_, &not_found_}) {
    std::erase_if(*found, [&](const auto& each) { return !clusters_.contains(each.first); });
  }
}

// The versions that serve count too, so that they go on being updated while later ones wait.
void SnapshotBuilder::collect_wanted() {
  wanted_.clear();
  for (const auto& [name, entry] : clusters_) {
    if (entry.has_latest && entry.latest.eds) {
      wanted_[{ResourceType::endpoint, entry.latest.eds->source}].insert(entry.latest.eds->name);
    }
  }
  const auto want_routes = [this](const xds::ListenerResource& resource) {
    if (resource.rds) {
      wanted_[{ResourceType::route, resource.rds->source}].insert(resource.rds->name);
    }
  };
  for (const auto& [name, entry] : listeners_) {
    if (entry.has_latest) {
      want_routes(entry.latest);
    }
    if (entry.serving_of) {
      want_routes(*entry.serving_of);
    }
  }
}

// ---- the snapshot ----

void SnapshotBuilder::publish() {
  auto next = std::make_shared<model::Snapshot>(*base_);
  next->listeners.clear();
  next->clusters.clear();
  next->cluster_order.clear();
  const auto add_cluster = [&](const std::string& name, const ClusterEntry& entry) {
    if (entry.serving != nullptr) {
      next->clusters.emplace(name, entry.serving);
      next->cluster_order.push_back(name);
    }
  };
  for (const std::string& name : static_clusters_) {
    add_cluster(name, clusters_.at(name));
  }
  for (const auto& [name, entry] : clusters_) {
    if (!entry.is_static) {
      add_cluster(name, entry);
    }
  }
  for (const std::string& name : static_listeners_) {
    if (const auto& serving = listeners_.at(name).serving; serving != nullptr) {
      next->listeners.push_back(serving);
    }
  }
  for (const auto& [name, entry] : listeners_) {
    if (!entry.is_static && entry.serving != nullptr) {
      next->listeners.push_back(entry.serving);
    }
  }
  if (published_ != nullptr && published_->listeners == next->listeners && published_->clusters == next->clusters &&
      published_->cluster_order == next->cluster_order) {
    return;
  }
  next->version = version() + 1;
  published_ = next;
  events_.publish(std::move(next));
}

}  // namespace remora::sources
