#include "control/catalog/consul_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "control/catalog/builder.h"

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
    facts_.failure = failure.words;
    using Reason = consul::Failure::Reason;
    const bool refused = failure.reason == Reason::refused || failure.reason == Reason::status ||
                         failure.reason == Reason::malformed || failure.reason == Reason::too_large;
    if (refused && !std::exchange(refused_, true) && !facts_.answered) {
      catalog_.changed();
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
    catalog_.doubt();
    on_gap();
  }
  void confirm() {
    facts_.answered = true;
    facts_.answered_at = catalog_.client_.loop().now();
    facts_.failure.clear();
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
      : after_outage_(catalog.after_outage_),
        began_in_outage_(after_outage_.doubts(catalog.client_.loop().now())),
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
  // Nothing is known of the time before an outage that is not long ago, and not all are well: a proxy may know better.
  bool doubtful(MonotonicTime now) const {
    return began_in_outage_ && after_outage_.doubts(now) &&
           (read_ == nullptr || read_->empty() || well(read_) < read_->size());
  }
  // As they were before an outage, while it is not long ago; or after it, if that was better: a restarted server first
  // says what it had on its disk.
  std::shared_ptr<const catalog::Instances> held(MonotonicTime now) {
    if (!after_outage_.doubts(now)) {
      held_ = nullptr;
    } else if (well(read_) > well(held_)) {
      held_ = read_;
    }
    return held_;
  }
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
  static std::size_t well(const std::shared_ptr<const catalog::Instances>& all) {
    const auto is_well = [](const Service& one) {
      return one.health == Health::passing && (!one.sidecar || one.sidecar->health == Health::passing);
    };
    return all == nullptr ? 0 : static_cast<std::size_t>(std::ranges::count_if(*all, is_well));
  }

  struct Half final : Follower {
    Half(ConsulCatalog& catalog, Instances& whole, std::string path)
        : Follower(catalog, {.path = std::move(path), .query = catalog.query()}), whole_(whole) {}
    void on_gap() override {
      whole_.began_in_outage_ = whole_.read_ == nullptr;
      // Of two outages soon after each other the first one may have taken what the second one finds.
      if (whole_.after_outage_.gap(now(), catalog_.options_.hold_empty) || well(whole_.read_) >= well(whole_.held_)) {
        whole_.held_ = whole_.read_;
      }
    }
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

  AfterOutage after_outage_;
  bool began_in_outage_;
  Half services_;
  Half sidecars_;
  std::shared_ptr<const catalog::Instances> read_;
  std::uint64_t read_version_ = 0;
  std::shared_ptr<const ProxyDefaults> defaults_;
  config::ConfigErrors errors_;
  std::shared_ptr<const catalog::Instances> held_;
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

std::vector<WatchFacts> ConsulCatalog::watches() const {
  std::vector<WatchFacts> all;
  const auto add = [&](const Follower& follower) { all.push_back(follower.facts()); };
  for (const auto& kind : kinds_) {
    add(*kind);
  }
  add(*agent_);
  for (const auto& [service, instances] : instances_) {
    instances->each(add);
  }
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

void ConsulCatalog::doubt() {
  const MonotonicTime now = client_.loop().now();
  after_outage_.gap(now, options_.hold_empty);
  hold_.cancel();  // all doubts that there are have begun before this one
  client_.loop().arm(hold_, after_outage_.until() - now);
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
  for (const auto& [service, instances] : instances_) {
    if (instances->answered()) {
      if (const auto all = instances->instances(file_, catalog->proxy_defaults); all != nullptr && !all->empty()) {
        catalog->services.emplace(service, all);
      }
      instances->add_findings(findings);
    }
    if (auto held = instances->held(client_.loop().now())) {
      catalog->held.emplace(service, std::move(held));
    }
    if (instances->settled() && !instances->doubtful(client_.loop().now())) {
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
  events_.on_catalog(catalog_);
}

}  // namespace remora::catalog
