#include "control/catalog/consul_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "control/catalog/builder.h"
#include "control/catalog/held_instances.h"

namespace remora::catalog {
namespace {

// Consul's agents write proxy-defaults' `config` into that of each proxy. What comes from there must not win over what
// a service or a route says, as a proxy's own would.
void drop_inherited(Service& service, const ProxyDefaults& defaults) {
  if (!service.sidecar) {
    return;
  }
  Extensions& own = service.sidecar->proxy.config.extensions;
  const Extensions& inherited = defaults.config.extensions;
  const auto drop = [](auto& one, const auto& other) {
    if (one == other) {
      one.reset();
    }
  };
  drop(own.fault, inherited.fault);
  drop(own.request_mirror_policies, inherited.request_mirror_policies);
  drop(own.retry_policy, inherited.retry_policy);
  drop(own.retry_budget, inherited.retry_budget);
  drop(own.breaker, inherited.breaker);
  drop(own.discovery, inherited.discovery);
}

}  // namespace

// What all watches of one catalog share.
class ConsulCatalog::Follower : public consul::WatchEvents {
 public:
  Follower(ConsulCatalog& catalog, consul::WatchOptions options)
      : catalog_(catalog), path_(options.path), watch_(catalog.client_, catalog.random_, std::move(options), *this) {
    facts_.answered_at = now();
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  virtual ~Follower() = default;

  bool answered() const { return facts_.answered; }
  bool fails() const { return !facts_.failure.empty(); }
  // Answered, or refused what was asked, which waiting does not change.
  bool settled() const { return facts_.answered || refused_; }
  WatchFacts facts() const {
    WatchFacts facts = facts_;
    facts.path = path_;
    return facts;
  }
  void add_findings(Findings& findings) const {
    for (const config::ConfigError& error : errors_) {
      findings.push_back({Severity::error, error});
    }
  }

  Result<void> on_answer(const std::string& body, bool after_gap) final {
    if (after_gap) {
      doubt();
    }
    auto taken = take(body);
    if (taken) {
      confirm();
      catalog_.changed();
    }
    return taken;
  }
  void on_unchanged(bool after_gap) final {
    if (after_gap) {
      doubt();  // a restarted agent may say the rest in its next answer
    }
    confirm();
  }
  void on_failure(const consul::Failure& failure) final {
    const bool news = std::exchange(facts_.failure, failure.words).empty();
    using Reason = consul::Failure::Reason;
    const bool refused = failure.reason == Reason::refused || failure.reason == Reason::status ||
                         failure.reason == Reason::malformed || failure.reason == Reason::too_large;
    if (refused && !std::exchange(refused_, true) && !facts_.answered) {
      catalog_.changed();
    }
    if (news && (refused || !std::exchange(catalog_.away_, true))) {  // an outage is one piece of news, not one a watch
      catalog_.events_.on_source(failure.words + "; what it said last goes on");
    }
  }

 protected:
  virtual Result<void> take(const std::string& body) = 0;
  virtual void on_gap() {}  // before the answer after it is taken
  MonotonicTime now() const { return catalog_.client_.loop().now(); }

  ConsulCatalog& catalog_;
  config::ConfigErrors errors_;  // of the last answer

 private:
  void doubt() {
    catalog_.after_outage_.gap(now(), catalog_.options_.hold_empty);
    on_gap();
    catalog_.look_again();
  }
  void confirm() {
    facts_.answered = true;
    facts_.answered_at = now();
    if (!std::exchange(facts_.failure, {}).empty()) {
      catalog_.recovered(path_);
    }
  }

  const std::string path_;
  WatchFacts facts_;
  bool refused_ = false;
  consul::Watch watch_;  // last: it calls what is above
};

// The entries of one kind.
class ConsulCatalog::Kind final : public Follower, private KnownEntries {
 public:
  Kind(ConsulCatalog& catalog, std::string_view kind)
      : Follower(catalog, {.path = fmt::format("/v1/config/{}", kind), .query = catalog.query()}) {}

  std::shared_ptr<const Document> document() {
    if (empty_held_back_ && !after_outage_.doubts(now())) {
      empty_held_back_ = false;
      entries_.clear();
      errors_.clear();
    }
    auto document = std::make_shared<Document>();
    for (const auto& [name, one] : entries_) {
      if (one.entry) {
        document->entries.push_back(*one.entry);
      }
    }
    return document;
  }

 private:
  struct Entry {
    std::uint64_t index = 0;
    std::optional<EntryPtr> entry;
    config::ConfigErrors errors;
  };

  bool knows(const std::string& name, std::uint64_t index) const override {
    const auto found = entries_.find(name);
    return found != entries_.end() && index != 0 && found->second.index == index;
  }

  Result<void> take(const std::string& body) override {
    auto answers = read_entries_answer(body, catalog_.file(), this);
    if (!answers) {
      return std::unexpected(answers.error());
    }
    empty_held_back_ = answers->empty() && !entries_.empty() && after_outage_.doubts(now());
    if (empty_held_back_) {
      return {};
    }
    std::map<std::string, Entry> now;
    for (EntryAnswer& answer : *answers) {
      const auto known = entries_.find(answer.name);
      Entry& entry = now[answer.name];
      if (known != entries_.end()) {
        entry = known->second;  // what holds while the new version is wrong
      }
      if (answer.entry || !answer.errors.empty()) {
        entry.index = answer.modify_index;
        entry.errors = std::move(answer.errors);
        if (answer.entry) {
          entry.entry = std::move(answer.entry);
        }
      }
    }
    entries_ = std::move(now);
    errors_.clear();
    for (const auto& [name, entry] : entries_) {
      errors_.insert(errors_.end(), entry.errors.begin(), entry.errors.end());
    }
    return {};
  }

  void on_gap() override { after_outage_.gap(now(), catalog_.options_.hold_empty); }

  std::map<std::string, Entry> entries_;
  AfterOutage after_outage_;
  bool empty_held_back_ = false;  // the last answer was: no entries
};

// The instances of one service, by two watches: those of its own name, and the sidecars that stand for it.
class ConsulCatalog::Instances {
 public:
  Instances(ConsulCatalog& catalog, const std::string& service)
      : service_(service),
        held_(catalog.after_outage_, catalog.client_.loop().now(), catalog.started_at_ + catalog.hold_of(service)),
        services_(catalog, *this, "/v1/health/service/" + consul::escape(service)),
        sidecars_(catalog, *this, "/v1/health/connect/" + consul::escape(service)) {}

  // Anew only when one of the answers changed.
  std::shared_ptr<const catalog::Instances> instances(const FileName& file,
                                                      const std::shared_ptr<const ProxyDefaults>& defaults) {
    const std::uint64_t version = services_.version + sidecars_.version;
    if (read_ == nullptr || version != read_version_ || defaults != defaults_) {
      errors_.clear();
      auto read = read_instances(services_.body, sidecars_.body, file, errors_);
      if (read) {  // each answer was read once before it was taken
        for (Service& service : *read) {
          drop_inherited(service, *defaults);
        }
        read_ = std::make_shared<const catalog::Instances>(std::move(*read));
      }
      read_version_ = version;
      defaults_ = defaults;
    }
    return read_;
  }
  bool answered() const { return services_.answered() && sidecars_.answered(); }
  bool settled() const { return services_.settled() && sidecars_.settled(); }
  bool doubtful(MonotonicTime now) const { return held_.doubtful(now, read_); }
  std::shared_ptr<const catalog::Instances> held(MonotonicTime now) { return held_.at(now, read_); }
  MonotonicTime next(MonotonicTime now) const { return held_.next(now); }
  void add_findings(Findings& findings) const {
    for (const config::ConfigError& error : errors_) {
      findings.push_back({Severity::warning, error});
    }
  }
  template <typename Visit>
  void each(Visit&& visit) const {
    visit(services_);
    visit(sidecars_);
  }

 private:
  struct Half final : Follower {
    Half(ConsulCatalog& catalog, Instances& whole, std::string path)
        : Follower(catalog, {.path = std::move(path),
                             .query = catalog.query(),
                             .permissions = consul::health_permissions(whole.service_)}),
          whole_(whole) {}
    void on_gap() override { whole_.held_.gap(now(), catalog_.hold_of(whole_.service_), whole_.read_); }
    Result<void> take(const std::string& answer) override {
      config::ConfigErrors errors;
      if (auto read = read_instances(answer, {}, catalog_.file(), errors); !read) {
        return std::unexpected(read.error());
      }
      body = answer;
      ++version;
      return {};
    }
    Instances& whole_;
    std::string body;
    std::uint64_t version = 0;
  };

  const std::string service_;
  HeldInstances held_;
  Half services_;
  Half sidecars_;
  std::shared_ptr<const catalog::Instances> read_;
  std::uint64_t read_version_ = 0;
  std::shared_ptr<const ProxyDefaults> defaults_;
  config::ConfigErrors errors_;
};

// What the agent says of itself, asked now and then: there is no index to block on.
class ConsulCatalog::Agent final : public Follower {
 public:
  explicit Agent(ConsulCatalog& catalog)
      : Follower(catalog, {.path = "/v1/agent/self", .poll_interval = Milliseconds(60'000)}) {}
  const std::optional<AgentFacts>& facts_of_agent() const { return facts_; }

 private:
  Result<void> take(const std::string& body) override {
    auto facts = read_agent_facts(body);
    if (!facts) {
      return std::unexpected(facts.error());
    }
    facts_ = std::move(*facts);
    return {};
  }

  std::optional<AgentFacts> facts_;
};

ConsulCatalog::ConsulCatalog(consul::Client& client, Random& random, ConsulCatalogOptions options,
                             CatalogEvents& events)
    : client_(client),
      random_(random),
      options_(std::move(options)),
      events_(events),
      started_at_(client.loop().now()),
      file_(std::make_shared<const std::string>(
          options_.datacenter.empty() ? std::string("Consul") : fmt::format("Consul ({})", options_.datacenter))) {
  settle_.bind<&ConsulCatalog::publish>(this);
  hold_.bind<&ConsulCatalog::changed>(this);
  for (std::string_view kind : entry_kinds()) {
    kinds_.push_back(std::make_unique<Kind>(*this, kind));
  }
  agent_ = std::make_unique<Agent>(*this);
}

ConsulCatalog::~ConsulCatalog() = default;

void ConsulCatalog::want(const std::set<std::string, std::less<>>& services) {
  const std::size_t before = instances_.size();
  const std::size_t gone = std::erase_if(instances_, [&](const auto& one) { return !services.contains(one.first); });
  for (const std::string& service : services) {
    if (!instances_.contains(service)) {
      instances_.emplace(service, std::make_unique<Instances>(*this, service));
    }
  }
  if (gone > 0 || instances_.size() != before) {
    changed();
  }
}

template <typename Visit>
void ConsulCatalog::each_follower(Visit&& visit) const {
  for (const auto& kind : kinds_) {
    visit(*kind);
  }
  visit(*agent_);
  for (const auto& [service, instances] : instances_) {
    instances->each(visit);
  }
}

std::vector<WatchFacts> ConsulCatalog::watches() const {
  std::vector<WatchFacts> all;
  each_follower([&](const Follower& follower) { all.push_back(follower.facts()); });
  return all;
}

std::vector<std::pair<std::string, std::string>> ConsulCatalog::query() const {
  std::vector<std::pair<std::string, std::string>> query;
  if (!options_.datacenter.empty()) {
    query.emplace_back("dc", options_.datacenter);
  }
  return query;
}

void ConsulCatalog::changed() {
  if (!settle_.armed()) {
    client_.loop().arm(settle_, options_.settle);
  }
}

// Only what Consul said before can say how long to doubt what it says now.
Nanoseconds ConsulCatalog::hold_of(const std::string& service) const {
  if (catalog_ != nullptr) {
    const ServiceDefaults* own = catalog_->defaults_of(service);
    for (const Extensions* each :
         {own == nullptr ? nullptr : &own->extensions,
          catalog_->proxy_defaults == nullptr ? nullptr : &catalog_->proxy_defaults->config.extensions}) {
      if (each != nullptr && each->discovery && each->discovery->hold_empty) {
        return *each->discovery->hold_empty;
      }
    }
  }
  return options_.hold_empty;
}

// What is held back is due when the first of the doubts is over.
void ConsulCatalog::look_again() {
  const MonotonicTime now = client_.loop().now();
  MonotonicTime next = after_outage_.doubts(now) ? after_outage_.until() : MonotonicTime::max();
  for (const auto& [service, instances] : instances_) {
    next = std::min(next, instances->next(now));
  }
  hold_.cancel();
  if (next != MonotonicTime::max()) {
    client_.loop().arm(hold_, next - now);
  }
}

void ConsulCatalog::recovered(const std::string& path) {
  if (!away_) {
    events_.on_source(fmt::format("Consul answers {} again", path));
    return;
  }
  bool failing = false;
  each_follower([&](const Follower& follower) { failing = failing || follower.fails(); });
  if (!failing) {
    away_ = false;
    events_.on_source("Consul answers again");
  }
}

void ConsulCatalog::publish() {
  if (!std::ranges::all_of(kinds_, [](const auto& kind) { return kind->answered(); })) {
    return;
  }
  config::ConfigErrors errors;
  std::vector<std::shared_ptr<const Document>> documents;
  Findings findings;
  for (const auto& kind : kinds_) {
    documents.push_back(kind->document());
    kind->add_findings(findings);
  }
  const auto catalog = build_catalog(documents, errors);
  catalog->complete = false;
  const auto& agent = agent_->facts_of_agent();
  catalog->datacenter = !options_.datacenter.empty() ? options_.datacenter : agent ? agent->datacenter : "dc1";
  catalog->allow_by_default = !agent || agent->allow_by_default;
  const MonotonicTime now = client_.loop().now();
  for (const auto& [service, instances] : instances_) {
    if (instances->answered()) {
      if (const auto all = instances->instances(file_, catalog->proxy_defaults); all != nullptr && !all->empty()) {
        catalog->services.emplace(service, all);
      }
      instances->add_findings(findings);
    }
    if (auto held = instances->held(now)) {
      catalog->held.emplace(service, std::move(held));
    }
    if (instances->settled() && !instances->doubtful(now)) {
      catalog->heard.insert(service);
    }
  }
  const Findings judged = validate(*catalog);
  findings.insert(findings.end(), judged.begin(), judged.end());
  std::string shown;
  for (const Finding& finding : findings) {
    shown += fmt::format("{}: {}\n", to_string(finding.severity), finding.what.to_string());
  }
  findings_ = std::move(findings);
  if (std::exchange(shown_findings_, shown) != shown) {
    events_.on_findings(findings_);
  }
  catalog_ = catalog;
  look_again();
  events_.on_catalog(catalog_);
}

}  // namespace remora::catalog
