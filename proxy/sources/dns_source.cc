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

// Whom, where the configuration says it.
std::string asked_of(const DnsDiscovery& discovery) {
  std::string text;
  for (const Address& server : discovery.servers) {
    text += (text.empty() ? " (asked: " : ", ") + server.to_string();
  }
  return text.empty() ? text : text + ")";
}

std::string text_of(const std::vector<Address>& addresses) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(addresses.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + addresses[i].ip();
  }
  return addresses.size() > kShown ? fmt::format("{} and {} more", text, addresses.size() - kShown) : text;
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
          .failing = failing_,
          .empty = empty_};
}

std::string DnsName::why_empty() const {
  const std::string& why = !failing_.empty() ? failing_ : empty_;
  return fmt::format("'{}': {}{}", name_.host, why.empty() ? "no answer yet" : why, asked_of(discovery_));
}

void DnsName::look_up() {
  ++lookups_;
  answers_ = {};
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

DnsName::Outcome DnsName::outcome() const {
  Outcome result;
  std::string failure;
  std::optional<Seconds> ttl;
  for (const auto& answer : answers_) {
    if (!answer) {
      continue;
    }
    (answer->ok ? result.why : failure) = answer->why;
    for (const Address& address : answer->addresses) {
      result.addresses.push_back(with_port(address, name_.port));
    }
    if (!answer->addresses.empty()) {
      ttl = std::min(ttl.value_or(answer->ttl), answer->ttl);
    }
  }
  result.ttl = ttl.value_or(Seconds(0));
  // One family's answer suffices; that there is none is only believed when no question failed. A LOGICAL_DNS cluster
  // never believes it, as in Envoy.
  result.empty = result.addresses.empty() && failure.empty();
  result.ok = !result.addresses.empty() || (result.empty && !discovery_.logical);
  if (!failure.empty()) {
    result.why = failure;
  }
  if (!discovery_.logical) {  // another order is no change; of a LOGICAL_DNS name the first one counts
    std::ranges::sort(result.addresses, {}, [](const Address& address) { return address.to_string(); });
    result.addresses.erase(std::unique(result.addresses.begin(), result.addresses.end()), result.addresses.end());
  }
  return result;
}

void DnsName::conclude() {
  Outcome came = outcome();
  if (came.ok) {
    take(std::move(came));
  } else {
    fail(came);
  }
}

void DnsName::fail(const Outcome& came) {
  const std::string& why = came.why;
  ++failures_;
  ++(came.empty ? source_.counts_.empty : source_.counts_.failed);
  const bool first = !std::exchange(has_outcome_, true);
  const bool news = std::exchange(failing_, why) != why;
  if (news) {
    source_.events_.log(
        LogLevel::warn,
        fmt::format("cluster '{}': '{}' cannot be resolved: {}{}; {}", cluster_, name_.host, why, asked_of(discovery_),
                    addresses_.empty() ? "it has no addresses until DNS answers, and is asked again"
                                       : "the last good addresses stay: " + text_of(addresses_)));
  }
  source_.loop_.arm(timer_, pause_after_failure());
  if (first || news) {
    changed_();
  }
}

void DnsName::take(Outcome came) {
  const bool recovered = !std::exchange(failing_, {}).empty();
  const bool first = !std::exchange(has_outcome_, true);
  failures_in_a_row_ = 0;
  ++(came.addresses.empty() ? source_.counts_.empty : source_.counts_.answered);
  good_at_ = source_.loop_.now();
  source_.loop_.arm(timer_, pause_after_success(came.ttl));
  const bool was_answered = std::exchange(answered_, true);
  empty_ = came.addresses.empty() ? came.why : std::string();
  const bool changed = std::exchange(addresses_, std::move(came.addresses)) != addresses_;
  if (addresses_.empty() && (changed || !was_answered)) {
    source_.events_.log(LogLevel::warn, fmt::format("cluster '{}': '{}' has no addresses: {}{}", cluster_, name_.host,
                                                    empty_, asked_of(discovery_)));
  } else if (recovered || changed) {
    const bool logical = discovery_.logical && was_answered && !recovered;  // these rotate
    source_.events_.log(logical ? LogLevel::debug : LogLevel::info,
                        fmt::format("cluster '{}': '{}' is {}{}", cluster_, name_.host, text_of(addresses_),
                                    recovered ? ", and resolves again" : ""));
  }
  if (changed || first || recovered) {
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

DnsCluster::DnsCluster(DnsSource& source, const std::string& name, const DnsDiscovery& discovery)
    : source_(source), name_(name), discovery_(discovery), since_(source.loop_.now()) {
  publish_task_.bind<&DnsCluster::publish>(this);
  patience_timer_.bind<&DnsCluster::publish>(this);
  source_.loop_.arm(patience_timer_, kPatience);
  for (const DnsDiscovery::Name& each : discovery_.names) {
    health_checks_.push_back(each.health_check ? std::make_shared<const model::HealthCheckTarget>(*each.health_check)
                                               : nullptr);
    names_.push_back(std::make_unique<DnsName>(source_, name_, discovery_, each,
                                               [this] { source_.loop_.at_turn_end(publish_task_); }));
  }
}

void DnsCluster::publish() {
  Found now = found();
  if (!published_) {
    const bool all = std::ranges::all_of(names_, [](const auto& name) { return name->has_outcome(); });
    const bool patient = source_.loop_.now() < since_ + kPatience;
    if (!all && (patient || now.endpoints.empty())) {
      return;
    }
  }
  if (published_ && *published_ == now) {
    return;
  }
  published_ = now;
  if (now.answered) {
    source_.events_.set_endpoints(name_, std::move(now.endpoints), std::move(now.why_empty));
  } else {
    source_.events_.not_found(name_, std::move(now.why_empty));
  }
}

DnsCluster::Found DnsCluster::found() const {
  Found result;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const DnsName& from = *names_[i];
    result.answered = result.answered || from.answered();
    for (const Address& address : from.addresses()) {
      model::Endpoint& endpoint = result.endpoints.emplace_back();
      endpoint.address = address;
      endpoint.hostname = from.name().hostname.empty() ? from.name().host : from.name().hostname;
      endpoint.weight = from.name().weight;
      endpoint.priority = from.name().priority;
      endpoint.health = from.name().health;
      endpoint.health_check = health_checks_[i];
      if (discovery_.logical) {
        break;
      }
    }
  }
  if (result.endpoints.empty()) {
    for (const auto& name : names_) {
      result.why_empty += (result.why_empty.empty() ? "" : "; ") + name->why_empty();
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
      clusters_.insert(std::move(known));
    } else {
      clusters_.emplace(config->name, std::make_unique<DnsCluster>(*this, config->name, *discovery));
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

std::vector<std::string> DnsSource::clusters() const {
  std::vector<std::string> all;
  for (const auto& [name, cluster] : clusters_) {
    all.push_back(name);
  }
  return all;
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

std::vector<DnsNameFacts> DnsSource::names(const std::string& cluster) const {
  std::vector<DnsNameFacts> all;
  if (const auto found = clusters_.find(cluster); found != clusters_.end()) {
    for (const auto& name : found->second->names()) {
      all.push_back(name->facts());
    }
  }
  return all;
}

}  // namespace remora::sources
