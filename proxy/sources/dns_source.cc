#include "proxy/sources/dns_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace remora::sources {
namespace {

using model::DnsDiscovery;
using net::Answer;
using net::Resolver;

std::size_t index(Resolver::Family family) { return static_cast<std::size_t>(family); }

Address with_port(const Address& address, std::uint16_t port) {
  return Address::parse(address.ip(), port).value_or(address);
}

Nanoseconds random_part(Random& random, Nanoseconds most) {
  return Nanoseconds(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()))));
}

}  // namespace

// ---- DnsName

DnsName::DnsName(DnsSource& source, const std::string& cluster, const DnsDiscovery& discovery,
                 const DnsDiscovery::Name& name, std::function<void()> changed)
    : source_(source),
      cluster_(cluster),
      discovery_(discovery),
      name_(name),
      changed_(std::move(changed)),
      resolver_(source.resolver_of_(discovery)),
      good_at_(source.loop_.now()) {
  timer_.bind<&DnsName::look_up>(this);
  look_up();
}

DnsNameFacts DnsName::facts() const {
  return {.cluster = cluster_,
          .host = name_.host,
          .addresses = addresses_,
          .answered = answered_,
          .age = source_.loop_.now() - good_at_,
          .lookups = lookups_,
          .failures = failures_,
          .failing = failing_};
}

void DnsName::look_up() {
  ++lookups_;
  answers_[0].reset();
  answers_[1].reset();
  switch (discovery_.family) {
    case DnsDiscovery::Family::v4_only:
    case DnsDiscovery::Family::v4_preferred:
      ask(Resolver::Family::v4);
      break;
    case DnsDiscovery::Family::v6_only:
    case DnsDiscovery::Family::automatic:
      ask(Resolver::Family::v6);
      break;
    case DnsDiscovery::Family::all:
      ask(Resolver::Family::v4);
      ask(Resolver::Family::v6);
      break;
  }
}

void DnsName::ask(Resolver::Family family) {
  lookups_under_way_[index(family)] =
      resolver_.resolve(name_.host, family, [this, family](const Answer& answer) { on_answer(family, answer); });
}

void DnsName::on_answer(Resolver::Family family, const Answer& answer) {
  answers_[index(family)] = answer;
  const Resolver::Family other = family == Resolver::Family::v4 ? Resolver::Family::v6 : Resolver::Family::v4;
  const bool both =
      discovery_.family == DnsDiscovery::Family::automatic || discovery_.family == DnsDiscovery::Family::v4_preferred;
  if (both && answer.addresses.empty() && !answers_[index(other)]) {
    ask(other);
    return;
  }
  if (discovery_.family == DnsDiscovery::Family::all && !answers_[index(other)]) {
    return;
  }
  conclude();
}

void DnsName::conclude() {
  std::vector<Address> addresses;
  bool ok = false;
  std::string error;
  std::optional<Seconds> ttl;
  for (const auto& answer : answers_) {
    if (!answer) {
      continue;
    }
    // One family's answer suffices; that there is none is only believed when no question failed.
    ok = answer->addresses.empty() ? ok : true;
    if (!answer->ok) {
      error = answer->error;
    }
    for (const Address& address : answer->addresses) {
      addresses.push_back(with_port(address, name_.port));
    }
    if (!answer->addresses.empty()) {
      ttl = std::min(ttl.value_or(answer->ttl), answer->ttl);
    }
  }
  ok = ok || error.empty();
  const bool first = !std::exchange(has_outcome_, true);
  if (!ok) {
    ++failures_;
    ++source_.counts_.failed;
    if (std::exchange(failing_, error) != error) {
      source_.events_.tell(fmt::format("cluster '{}': '{}' cannot be resolved: {}; {}", cluster_, name_.host, error,
                                       answered_ ? "the last good addresses stay" : "there are no addresses yet"));
    }
    source_.loop_.arm(timer_, pause_after_failure());
    if (first) {
      changed_();
    }
    return;
  }
  if (!std::exchange(failing_, {}).empty()) {
    source_.events_.tell(fmt::format("cluster '{}': '{}' resolves again", cluster_, name_.host));
  }
  failures_in_a_row_ = 0;
  ++(addresses.empty() ? source_.counts_.empty : source_.counts_.answered);
  answered_ = true;
  good_at_ = source_.loop_.now();
  source_.loop_.arm(timer_, pause_after_success(ttl.value_or(Seconds(0))));
  std::ranges::sort(addresses, {}, [](const Address& address) { return address.to_string(); });
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (std::exchange(addresses_, std::move(addresses)) != addresses_ || first) {
    changed_();
  }
}

Nanoseconds DnsName::pause_after_success(Seconds ttl) {
  const Nanoseconds pause = discovery_.respect_ttl && ttl.count() > 0 ? Nanoseconds(ttl) : discovery_.refresh_rate;
  return pause + random_part(source_.random_, discovery_.jitter);
}

// Exponential where the configuration has a rate for failures, and never all names at once.
Nanoseconds DnsName::pause_after_failure() {
  const Nanoseconds base = discovery_.failure_refresh_base;
  if (base.count() == 0) {
    return Nanoseconds(discovery_.refresh_rate) + random_part(source_.random_, discovery_.jitter);
  }
  const Nanoseconds most =
      discovery_.failure_refresh_max.count() > 0 ? Nanoseconds(discovery_.failure_refresh_max) : base * 10;
  const std::uint32_t doublings = std::min<std::uint32_t>(failures_in_a_row_++, 20);
  const Nanoseconds pause = std::min(base * (std::int64_t{1} << doublings), most);
  return pause / 2 + random_part(source_.random_, pause / 2);
}

// ---- DnsCluster

DnsCluster::DnsCluster(DnsSource& source, std::shared_ptr<const model::Cluster> config)
    : source_(source),
      config_(std::move(config)),
      discovery_(std::get<DnsDiscovery>(config_->discovery)),
      name_(config_->name) {
  publish_task_.bind<&DnsCluster::publish>(this);
  for (const DnsDiscovery::Name& name : discovery_.names) {
    names_.push_back(std::make_unique<DnsName>(source_, name_, discovery_, name,
                                               [this] { source_.loop_.at_turn_end(publish_task_); }));
  }
}

void DnsCluster::adopt(std::shared_ptr<const model::Cluster> config) {
  config_ = std::move(config);
  if (published_) {
    source_.loop_.at_turn_end(publish_task_);
  }
}

void DnsCluster::publish() {
  // The first time all names are known, or known to be unknown: a cluster does not begin with half of its endpoints.
  if (!published_ && !std::ranges::all_of(names_, [](const auto& name) { return name->has_outcome(); })) {
    return;
  }
  std::vector<model::Endpoint> now = endpoints();
  if (published_ && *published_ == now) {
    return;
  }
  published_ = now;
  source_.events_.set_endpoints(name_, std::move(now));
}

std::vector<model::Endpoint> DnsCluster::endpoints() {
  std::vector<model::Endpoint> result = config_->endpoints;
  for (const auto& each : names_) {
    const DnsDiscovery::Name& name = each->name();
    std::vector<Address> addresses = each->addresses();
    if (discovery_.logical && !addresses.empty()) {
      if (!logical_ || std::ranges::find(addresses, *logical_) == addresses.end()) {
        logical_ = addresses.front();
      }
      addresses = {*logical_};
    }
    for (const Address& address : addresses) {
      const bool known = std::ranges::any_of(result, [&](const auto& other) { return other.address == address; });
      if (!known) {
        model::Endpoint& endpoint = result.emplace_back();
        endpoint.address = address;
        endpoint.hostname = name.hostname.empty() ? name.host : name.hostname;
        endpoint.weight = name.weight;
        endpoint.priority = name.priority;
        endpoint.health = name.health;
      }
    }
  }
  return result;
}

// ---- DnsSource

DnsSource::DnsSource(Loop& loop, ResolverOf resolver_of, Random& random, Events events)
    : loop_(loop), resolver_of_(std::move(resolver_of)), random_(random), events_(std::move(events)) {}

DnsSource::~DnsSource() = default;

void DnsSource::follow(std::span<const std::shared_ptr<const model::Cluster>> clusters) {
  auto before = std::exchange(clusters_, {});
  for (const auto& config : clusters) {
    const auto* discovery = std::get_if<DnsDiscovery>(&config->discovery);
    if (discovery == nullptr) {
      continue;
    }
    auto known = before.extract(config->name);
    if (known && known.mapped()->discovery() == *discovery) {
      known.mapped()->adopt(config);
      clusters_.insert(std::move(known));
    } else {
      clusters_.emplace(config->name, std::make_unique<DnsCluster>(*this, config));
    }
  }
}

Nanoseconds DnsSource::age() const {
  Nanoseconds longest{0};
  for (const auto& [cluster_name, cluster] : clusters_) {
    for (const auto& name : cluster->names()) {
      longest = std::max(longest, loop_.now() - name->good_at());
    }
  }
  return longest;
}

std::vector<DnsNameFacts> DnsSource::names() const {
  std::vector<DnsNameFacts> all;
  for (const auto& [cluster_name, cluster] : clusters_) {
    for (const auto& name : cluster->names()) {
      all.push_back(name->facts());
    }
  }
  return all;
}

}  // namespace remora::sources
