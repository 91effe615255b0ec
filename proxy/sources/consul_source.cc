#include "proxy/sources/consul_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace remora::sources {

using Kind = WatchKey::Kind;

namespace {

// Another order, by distances that drift, is no change.
bool same_set(const std::vector<model::Endpoint>& a, const std::vector<model::Endpoint>& b) {
  if (a.size() != b.size() || a == b) {
    return a == b;
  }
  const auto sorted = [](const std::vector<model::Endpoint>& endpoints) {
    std::vector<std::pair<std::string, const model::Endpoint*>> order;
    for (const model::Endpoint& endpoint : endpoints) {
      order.emplace_back(fmt::format("{} {}", endpoint.priority, endpoint.address.to_string()), &endpoint);
    }
    std::ranges::sort(order);
    return order;
  };
  return std::ranges::equal(sorted(a), sorted(b), [](const auto& x, const auto& y) { return *x.second == *y.second; });
}

}  // namespace

// ---- ConsulCluster

ConsulCluster::ConsulCluster(ConsulSource& source, std::string name, model::ConsulDiscovery discovery)
    : source_(source), name_(std::move(name)), discovery_(std::move(discovery)) {
  evaluate_task_.bind<&ConsulCluster::evaluate>(this);
  hold_timer_.bind<&ConsulCluster::evaluate>(this);
  std::vector<model::ConsulDiscovery::Target> targets = discovery_.targets;
  const bool query = !discovery_.prepared_query.empty();
  if (query) {
    targets.assign(1, {});
    targets.front().service = discovery_.prepared_query;
  }
  for (const auto& target : targets) {
    Part& part = *parts_.emplace_back(std::make_unique<Part>());
    part.target = target;
    part.priority = static_cast<std::uint32_t>(parts_.size() - 1);
    auto filter = consul::Filter::parse(target.filter, consul::health_entry_schema());
    if (filter) {
      part.filter = std::move(*filter);
    } else {  // whoever reads clusters refuses it before; here nothing may follow a filter that cannot be judged
      source_.events_.tell(fmt::format("cluster {}: {}; its target {} has no endpoints", name_,
                                       filter.error().to_string(target.filter), target.service));
      part.known = true;
      continue;
    }
    start(part, query ? Kind::prepared_query : target.connect ? Kind::connect : Kind::service);
  }
  source_.client_.loop().at_turn_end(evaluate_task_);  // what is watched already is known already
}

ConsulCluster::~ConsulCluster() {
  for (const auto& part : parts_) {
    for (ServiceWatch* watch : {part->watch, part->fallback}) {
      if (watch != nullptr) {
        source_.watches_.release(*watch, *this);
      }
    }
  }
}

void ConsulCluster::start(Part& part, Kind kind) {
  WatchKey key{.kind = kind,
               .name = part.target.service,
               .datacenter = part.target.datacenter,
               .near = discovery_.near,
               .keep_output = part.filter.mentions("Output")};
  if (kind == Kind::prepared_query) {
    key.poll_interval = discovery_.poll_interval;
  }
  ServiceWatch& watch = source_.watches_.use(key, *this);
  (part.watch == nullptr ? part.watch : part.fallback) = &watch;
}

void ConsulCluster::on_watch(ServiceWatch& watch) {
  if (watch.failing().empty() && watch.after_gap()) {
    for (const auto& part : parts_) {
      if (part->watch == &watch || part->fallback == &watch) {
        part->suspect_until = source_.client_.loop().now() + discovery_.hold_empty;
      }
    }
  }
  source_.hear(watch);
  source_.client_.loop().at_turn_end(evaluate_task_);
}

void ConsulCluster::evaluate() {
  hold_timer_.cancel();
  const MonotonicTime now = source_.client_.loop().now();
  MonotonicTime held_until = MonotonicTime::max();
  for (const auto& part : parts_) {
    if (part->watch != nullptr) {
      judge(*part);
    }
    if (part->holding) {
      held_until = std::min(held_until, part->suspect_until);
    }
  }
  if (held_until != MonotonicTime::max()) {
    source_.client_.loop().arm(hold_timer_, std::max(held_until - now, Nanoseconds(0)));
  }
  publish();
}

void ConsulCluster::judge(Part& part) {
  if (!part.watch->answered()) {
    return;
  }
  // A service's instances are its sidecars, whatever their health; only where none is registered, the service itself.
  const bool fallback = part.watch->key().kind == Kind::connect && part.watch->entries().empty();
  if (fallback && part.fallback == nullptr) {
    start(part, Kind::service);
  }
  if (fallback && !part.fallback->answered()) {
    return;
  }
  const ServiceWatch& from = fallback ? *part.fallback : *part.watch;
  Selection selection = select_instances(from.entries(), {.target = part.target,
                                                          .filter = part.filter,
                                                          .priority = part.priority,
                                                          .remote = source_.is_remote(part.target.datacenter),
                                                          .all_states = from.key().kind == Kind::prepared_query});
  // Soon after an outage, instances that are gone, or sidecars that became none, may be what a restarted agent has not
  // heard of yet.
  const bool lost = selection.endpoints.empty() || (fallback && !part.uses_fallback);
  const MonotonicTime now = source_.client_.loop().now();
  if (lost && !part.known && !part.has_earlier && source_.events_.has_earlier(name_)) {
    part.has_earlier = true;  // this process cannot tell whether there was an outage
    part.suspect_until = now + discovery_.hold_empty;
  }
  if (lost && (part.has_earlier || !part.last_good.endpoints.empty()) && now < part.suspect_until) {
    part.holding = true;
    return;
  }
  part.holding = false;
  part.known = true;
  part.has_earlier = false;
  part.uses_fallback = fallback;
  for (const std::string& skipped : selection.skipped) {
    if (std::ranges::find(part.last_good.skipped, skipped) == part.last_good.skipped.end()) {
      source_.events_.tell(fmt::format("cluster {} leaves out {}", name_, skipped));
    }
  }
  part.last_good = std::move(selection);
  if (!fallback && part.fallback != nullptr) {
    source_.watches_.release(*std::exchange(part.fallback, nullptr), *this);
  }
}

void ConsulCluster::publish() {
  const bool primary_known = !parts_.empty() && parts_.front()->known;
  const bool any = std::ranges::any_of(parts_, [](const auto& part) { return !part->last_good.endpoints.empty(); });
  const bool doubted = std::ranges::any_of(parts_, [](const auto& part) { return part->has_earlier; });
  if (doubted || (!primary_known && !any)) {
    return;  // nothing is known yet: what the cluster has, from the disk perhaps, stays
  }
  std::vector<model::Endpoint> endpoints;
  for (const auto& part : parts_) {
    endpoints.insert(endpoints.end(), part->last_good.endpoints.begin(), part->last_good.endpoints.end());
  }
  if (!published_ || !same_set(*published_, endpoints)) {
    published_ = endpoints;
    source_.events_.set_endpoints(name_, std::move(endpoints));
  }
}

ConsulClusterFacts ConsulCluster::facts() const {
  ConsulClusterFacts facts;
  facts.cluster = name_;
  const MonotonicTime now = source_.client_.loop().now();
  for (const auto& part : parts_) {
    facts.endpoints += part->last_good.endpoints.size();
    facts.holding = facts.holding || part->holding;
    facts.skipped.insert(facts.skipped.end(), part->last_good.skipped.begin(), part->last_good.skipped.end());
    for (const ServiceWatch* watch : {part->watch, part->fallback}) {
      if (watch != nullptr) {
        facts.age = std::max(facts.age, Nanoseconds(now - watch->answer_at()));
        facts.failing = facts.failing.empty() ? watch->failing() : facts.failing;
      }
    }
  }
  return facts;
}

// ---- ConsulSource

ConsulSource::ConsulSource(consul::Client& client, Random& random, Events events)
    : client_(client), events_(std::move(events)), watches_(client, random) {}

ConsulSource::~ConsulSource() = default;

void ConsulSource::follow(std::span<const std::shared_ptr<const model::Cluster>> clusters) {
  std::map<std::string, std::unique_ptr<ConsulCluster>> kept;
  for (const auto& cluster : clusters) {
    const auto* discovery = std::get_if<model::ConsulDiscovery>(&cluster->discovery);
    if (discovery == nullptr) {
      continue;
    }
    const auto known = clusters_.find(cluster->name);
    if (known != clusters_.end() && known->second->discovery() == *discovery) {
      kept[cluster->name] = std::move(known->second);
    } else {
      kept[cluster->name] = std::make_unique<ConsulCluster>(*this, cluster->name, *discovery);
    }
  }
  clusters_.swap(kept);  // new ones were made first: a watch that both need goes on
}

bool ConsulSource::is_remote(const std::string& datacenter) const {
  return !datacenter.empty() && !local_datacenter_.empty() && datacenter != local_datacenter_;
}

void ConsulSource::hear(const ServiceWatch& watch) {
  if (watch.key().datacenter.empty() && watch.key().kind != WatchKey::Kind::prepared_query &&
      !watch.entries().empty()) {
    local_datacenter_ = watch.entries().front().node.datacenter;
  }
  std::string& told = told_[to_string(watch.key())];
  if (told.empty() != watch.failing().empty()) {  // the first failure of an outage, and its end
    events_.tell(watch.failing().empty()
                     ? fmt::format("Consul answers again: {}", to_string(watch.key()))
                     : fmt::format("{}: the last good endpoints of {} stay", watch.failing(), to_string(watch.key())));
  }
  told = watch.failing();
}

std::vector<ConsulWatchFacts> ConsulSource::watches() const {
  std::vector<ConsulWatchFacts> all;
  const MonotonicTime now = client_.loop().now();
  watches_.for_each([&](const ServiceWatch& watch) {
    all.push_back({.watch = to_string(watch.key()),
                   .service = watch.key().name,
                   .datacenter = watch.key().datacenter,
                   .age = now - watch.answer_at(),
                   .answered = watch.answered(),
                   .instances = watch.entries().size(),
                   .changes = watch.changes(),
                   .failures = watch.failures(),
                   .failing = watch.failing()});
  });
  return all;
}

std::vector<ConsulClusterFacts> ConsulSource::clusters() const {
  std::vector<ConsulClusterFacts> all;
  for (const auto& [name, cluster] : clusters_) {
    all.push_back(cluster->facts());
  }
  return all;
}

std::optional<ConsulClusterFacts> ConsulSource::cluster(const std::string& name) const {
  const auto found = clusters_.find(name);
  return found == clusters_.end() ? std::nullopt : std::optional(found->second->facts());
}

}  // namespace remora::sources
