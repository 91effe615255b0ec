#include "proxy/sources/snapshot_builder.h"

#include <fmt/format.h>

#include <algorithm>

namespace remora::sources {

SnapshotBuilder::SnapshotBuilder(Loop& loop, const xds::Bootstrap& bootstrap, Events events)
    : loop_(loop),
      events_(std::move(events)),
      base_(bootstrap.snapshot),
      control_clusters_(bootstrap.control_clusters),
      has_ads_(bootstrap.ads.kind != xds::ConfigSource::Kind::none) {
  settle_task_.bind<&SnapshotBuilder::settle>(this);
  deadline_timer_.bind<&SnapshotBuilder::settle>(this);
  for (const xds::ClusterResource& each : bootstrap.clusters) {
    ClusterEntry& entry = clusters_[each.cluster->name];
    entry.is_static = entry.has_latest = true;
    entry.since = loop_.now();
    entry.latest = each;
    static_clusters_.push_back(each.cluster->name);
  }
  for (const xds::ListenerResource& each : bootstrap.listeners) {
    ListenerEntry& entry = listeners_[each.listener->name];
    entry.is_static = entry.has_latest = true;
    entry.since = loop_.now();
    entry.latest = each;
    static_listeners_.push_back(each.listener->name);
  }
  resolve_clusters();  // who serves resources is among them
  loop_.at_turn_end(settle_task_);
}

xds::Environment SnapshotBuilder::environment() const {
  return {.clusters = nullptr,  // routes wait for theirs
          .control_clusters = &control_clusters_,
          .has_ads = has_ads_,
          .default_service = base_->node.cluster};
}

template <typename E>
void SnapshotBuilder::reject(const Resource& resource, E& entry, std::string reason,
                             std::vector<Rejection>& rejections) {
  entry.failure = {reason, resource.version, loop_.wall_now()};
  rejections.push_back({resource.name, std::move(reason)});
}

template <typename E, typename Take>
void SnapshotBuilder::take_each(const ResourceUpdate& update, const std::vector<Rejection>& unread, Entries<E>& entries,
                                std::vector<Rejection>& rejections, Take&& take) {
  std::set<std::string_view> seen;
  for (const Resource& resource : update.set) {
    if (resource.name.empty()) {
      rejections.push_back({"", "a resource without a name, or of another type than its response's"});
      continue;
    }
    E& entry = entries[resource.name];
    if (!seen.insert(resource.name).second) {
      reject(resource, entry, "is there twice", rejections);
      continue;
    }
    if (const auto found = std::ranges::find(unread, resource.name, &Rejection::name); found != unread.end()) {
      reject(resource, entry, found->reason, rejections);
      continue;
    }
    if (entry.is_static) {
      reject(resource, entry, "the bootstrap has a static one of this name", rejections);
      continue;
    }
    const bool same = entry.has_latest && entry.body.type_url() == resource.body.type_url() &&
                      entry.body.value() == resource.body.value();
    if (!same) {
      if (std::string reason = take(resource, entry); !reason.empty()) {
        reject(resource, entry, std::move(reason), rejections);
        continue;
      }
      entry.body = resource.body;
      entry.updated = loop_.wall_now();
      entry.since = loop_.now();
      entry.has_latest = true;
    }
    entry.version = resource.version;
    entry.failure.reset();
    entry.gone = false;
  }
}

template <typename E>
void SnapshotBuilder::remove_gone(const ResourceUpdate& update, Entries<E>& entries) {
  const auto remove = [](E& entry) {
    entry.gone = !entry.is_static;
    entry.failure.reset();
  };
  for (const std::string& name : update.removed) {
    if (const auto found = entries.find(name); found != entries.end()) {
      remove(found->second);
    }
  }
  if (update.whole) {
    std::set<std::string_view> named;
    for (const Resource& resource : update.set) {
      named.insert(resource.name);
    }
    for (auto& [name, entry] : entries) {
      if (!named.contains(name)) {
        remove(entry);
      }
    }
  }
}

// Of endpoints and routes nothing is removed by the source: they go when nothing refers to them, as in Envoy.
std::vector<Rejection> SnapshotBuilder::apply(const ResourceUpdate& update, const std::vector<Rejection>& unread) {
  std::vector<Rejection> rejections;
  switch (update.type) {
    case ResourceType::cluster:
      remove_gone(update, clusters_);
      take_each(update, unread, clusters_, rejections, [this](const auto& r, auto& e) { return take_cluster(r, e); });
      break;
    case ResourceType::endpoint:
      take_each(update, unread, endpoints_, rejections,
                [this](const auto& r, auto& e) { return take_endpoints(r, e); });
      break;
    case ResourceType::listener:
      remove_gone(update, listeners_);
      take_each(update, unread, listeners_, rejections, [this](const auto& r, auto& e) { return take_listener(r, e); });
      break;
    case ResourceType::route:
      take_each(update, unread, routes_, rejections, [this](const auto& r, auto& e) { return take_routes(r, e); });
      break;
    case ResourceType::secret:
      for (const Resource& resource : update.set) {
        rejections.push_back({resource.name, "secrets are not supported by this version of Remora"});
      }
      break;
  }
  TypeState& state = types_[static_cast<std::size_t>(update.type)];
  state.version = update.version;
  state.updated = loop_.wall_now();
  ++state.updates;
  state.rejected += rejections.size();
  loop_.at_turn_end(settle_task_);
  return rejections;
}

std::string SnapshotBuilder::take_cluster(const Resource& resource, ClusterEntry& entry) {
  auto read = xds::read_cluster(resource.name, resource.body, environment());
  if (!read) {
    return xds::reason(read.error());
  }
  if (entry.has_latest && entry.latest.cluster->discovery.index() != read->cluster->discovery.index()) {
    discovered_.erase(resource.name);  // in another way than it is found from now on
    not_found_.erase(resource.name);
  }
  entry.latest = std::move(*read);
  return {};
}

std::string SnapshotBuilder::take_endpoints(const Resource& resource, EndpointsEntry& entry) {
  auto read = xds::read_endpoints(resource.name, resource.body);
  if (!read) {
    return xds::reason(read.error());
  }
  if (entry.latest == nullptr || *entry.latest != *read) {
    entry.latest = std::make_shared<const xds::Endpoints>(std::move(*read));
  }
  return {};
}

const std::string* SnapshotBuilder::who_has(const Address& address, std::string_view but) const {
  for (const auto& [name, entry] : listeners_) {
    if (name != but && entry.has_latest && !entry.gone && entry.latest.listener->bind_to_port &&
        entry.latest.listener->address == address) {
      return &name;
    }
  }
  return nullptr;
}

std::string SnapshotBuilder::take_listener(const Resource& resource, ListenerEntry& entry) {
  auto read = xds::read_listener(resource.name, resource.body, environment());
  if (!read) {
    return xds::reason(read.error());
  }
  const model::Listener& listener = *read->listener;
  const bool any_port = listener.address.is_ip() && listener.address.port() == 0;
  if (listener.bind_to_port && !any_port) {
    if (const std::string* other = who_has(listener.address, resource.name)) {
      return fmt::format("address: listener '{}' has {} already", *other, listener.address.to_string());
    }
  }
  entry.latest = std::move(*read);
  return {};
}

std::string SnapshotBuilder::take_routes(const Resource& resource, RouteEntry& entry) {
  auto read = xds::read_route_config(resource.name, resource.body, environment());
  if (!read) {
    return xds::reason(read.error());
  }
  entry.latest = std::move(*read);
  return {};
}

void SnapshotBuilder::set_endpoints(const std::string& cluster, std::vector<model::Endpoint> endpoints,
                                    std::string why_empty) {
  auto& slot = discovered_[cluster];
  not_found_.erase(cluster);
  xds::Endpoints found{.endpoints = std::move(endpoints), .why_empty = std::move(why_empty)};
  if (slot == nullptr || *slot != found) {
    slot = std::make_shared<const xds::Endpoints>(std::move(found));
    loop_.at_turn_end(settle_task_);
  }
}

void SnapshotBuilder::set_not_found(const std::string& cluster, std::string why) {
  auto& slot = not_found_[cluster];
  if (slot == nullptr || slot->why_empty != why) {
    slot = std::make_shared<const xds::Endpoints>(xds::Endpoints{.endpoints = {}, .why_empty = std::move(why)});
    loop_.at_turn_end(settle_task_);
  }
}

std::map<std::string, std::shared_ptr<const xds::Endpoints>, std::less<>> SnapshotBuilder::discovered() const {
  auto result = discovered_;
  for (const auto& [name, endpoints] : fallback_) {
    if (clusters_.contains(name)) {
      result.try_emplace(name, endpoints);
    }
  }
  return result;
}

bool SnapshotBuilder::warming(const std::string& cluster) const {
  const auto found = clusters_.find(cluster);
  return found != clusters_.end() && found->second.serving == nullptr && !found->second.waits_for.empty();
}

void SnapshotBuilder::set_fallback(std::map<std::string, std::vector<model::Endpoint>> endpoints) {
  for (auto& [cluster, list] : endpoints) {
    fallback_[cluster] = std::make_shared<const xds::Endpoints>(xds::Endpoints{.endpoints = std::move(list)});
  }
}

bool SnapshotBuilder::has_fallback(const std::string& cluster) const {
  const auto found = fallback_.find(cluster);
  return found != fallback_.end() && !found->second->endpoints.empty() && !discovered_.contains(cluster);
}

std::vector<Address> SnapshotBuilder::addresses(const std::string& cluster) const {
  std::vector<Address> result;
  if (const auto found = clusters_.find(cluster); found != clusters_.end() && found->second.serving != nullptr) {
    for (const model::Endpoint& endpoint : found->second.serving->endpoints) {
      result.push_back(endpoint.address);
    }
  }
  return result;
}

void SnapshotBuilder::hold(bool held) {
  held_ = held;
  loop_.at_turn_end(settle_task_);
}

std::vector<std::shared_ptr<const model::Cluster>> SnapshotBuilder::clusters() const {
  std::vector<std::shared_ptr<const model::Cluster>> result;
  for (const auto& [name, entry] : clusters_) {
    if (entry.gone ? entry.serving != nullptr : entry.has_latest) {
      result.push_back(entry.gone ? entry.serving : entry.latest.cluster);
    }
  }
  return result;
}

template <typename E>
TypeFacts SnapshotBuilder::facts_of(const TypeState& state, const Entries<E>& entries) {
  TypeFacts result{state.version, state.updated, state.updates, state.rejected, 0, 0, {}};
  for (const auto& [name, entry] : entries) {
    if (entry.is_static) {
      continue;
    }
    result.rejected_now += entry.failure ? 1 : 0;
    result.waiting += entry.has_latest && !entry.waits_for.empty() ? 1 : 0;
    result.resources.push_back({name, entry.version, entry.updated, entry.has_latest ? &entry.body : nullptr,
                                entry.has_latest && entry.waits_for.empty(), entry.waits_for, entry.failure});
  }
  return result;
}

TypeFacts SnapshotBuilder::facts(ResourceType type) const {
  const TypeState& state = types_[static_cast<std::size_t>(type)];
  switch (type) {
    case ResourceType::cluster:
      return facts_of(state, clusters_);
    case ResourceType::endpoint:
      return facts_of(state, endpoints_);
    case ResourceType::listener:
      return facts_of(state, listeners_);
    case ResourceType::route:
      return facts_of(state, routes_);
    case ResourceType::secret:
      break;
  }
  return {};
}

}  // namespace remora::sources
