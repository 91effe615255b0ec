// ConsulCatalog: the catalog as Consul holds it, followed by blocking queries: config entries of each kind, and
// the instances of the services that somebody wants. Each entry stands or falls alone: one that Remora cannot take
// keeps its last good version, and a finding says why. A Consul that is away leaves the last good catalog; for a while
// after it, answers that take away all entries of a kind are not believed, and what was known of instances is kept
// beside what it says now (Catalog::held).
// Owned by whoever runs on the catalog; its client's loop's thread.
// Source: Consul's API documentation; its rules for blocking queries are core/consul/watch.h's.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/catalog/after_outage.h"
#include "control/catalog/catalog_events.h"
#include "control/catalog/consul_answers.h"
#include "control/catalog/document.h"
#include "core/base/random.h"
#include "core/consul/watch.h"

namespace remora::catalog {

struct ConsulCatalogOptions {
  std::string datacenter;  // empty: the agent's own
  Milliseconds settle{2};  // answers that come together are one change
  // How long after an outage an answer that takes everything away is not believed, where `discovery.hold_empty` in a
  // `config` does not say otherwise.
  Milliseconds hold_empty{30'000};
};

// One of its watches, for people.
struct WatchFacts {
  std::string path;
  bool answered = false;
  MonotonicTime answered_at;  // the last answer, changed or not; before the first: when it was asked first
  std::string failure;        // since then; empty: none
};

class ConsulCatalog {
 public:
  ConsulCatalog(consul::Client& client, Random& random, ConsulCatalogOptions options, CatalogEvents& events);
  ConsulCatalog(const ConsulCatalog&) = delete;
  ConsulCatalog& operator=(const ConsulCatalog&) = delete;
  ~ConsulCatalog();

  // Whose instances the catalog holds: these, and no others. The first catalog does not wait for them.
  void want(const std::set<std::string, std::less<>>& services);

  const CatalogPtr& catalog() const { return catalog_; }  // the last one; null: not all kinds have answered yet
  const Findings& findings() const { return findings_; }
  std::vector<WatchFacts> watches() const;
  // Till then an answer that takes everything away is not believed, after an outage.
  MonotonicTime doubts_until() const { return after_outage_.until(); }

 private:
  class Follower;
  class Kind;
  class Instances;
  class Agent;
  friend class Follower;

  std::vector<std::pair<std::string, std::string>> query() const;
  const FileName& file() const { return file_; }
  void changed();
  Nanoseconds hold_of(const std::string& service) const;
  void look_again();  // when what is held back may be due
  void recovered(const std::string& path);
  void publish();
  template <typename Visit>
  void each_follower(Visit&& visit) const;

  // Constant after construction.
  consul::Client& client_;
  Random& random_;
  const ConsulCatalogOptions options_;
  CatalogEvents& events_;
  const MonotonicTime started_at_;
  FileName file_;

  std::vector<std::unique_ptr<Kind>> kinds_;
  std::unique_ptr<Agent> agent_;
  std::map<std::string, std::unique_ptr<Instances>, std::less<>> instances_;
  CatalogPtr catalog_;
  Findings findings_;
  std::string shown_findings_;  // as they were last told
  bool away_ = false;           // Consul, as was told
  Timer settle_;
  AfterOutage after_outage_;  // of any watch: those that begin in its time share its doubt
  Timer hold_;
};

}  // namespace remora::catalog
