// ServiceWatch: one service in one datacenter of one kind, as Consul tells it now and how old that is. ConsulWatches:
// all of them: one watch for each, however many clusters ask; it ends when nobody does. Owned by ConsulSource; main
// thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/consul/health_entry.h"
#include "core/consul/watch.h"

namespace remora::sources {

struct WatchKey {
  enum class Kind : std::uint8_t { service, connect, prepared_query };
  Kind kind = Kind::service;
  std::string name;
  std::string datacenter;  // empty: the agent's
  std::string near;
  Milliseconds poll_interval{0};  // of a prepared query
  bool keep_output = false;       // a filter asks for the checks' output

  friend auto operator<=>(const WatchKey&, const WatchKey&) = default;
};
std::string to_string(const WatchKey& key);  // "service api in dc2", for people

class ServiceWatch;

// Who uses a watch.
class WatchUser {
 public:
  // Something about it changed: new entries, or new facts. From a callback of the watch.
  virtual void on_watch(ServiceWatch& watch) = 0;

 protected:
  ~WatchUser() = default;
};

class ServiceWatch final : consul::WatchEvents {
 public:
  ServiceWatch(consul::Client& client, Random& random, WatchKey key);

  const WatchKey& key() const { return key_; }
  bool answered() const { return answered_at_.has_value(); }
  const std::vector<consul::HealthEntry>& entries() const { return entries_; }
  // The last answer followed an outage or an index reset, and what it says may not be settled yet.
  bool after_gap() const { return after_gap_; }
  MonotonicTime answer_at() const { return answered_at_.value_or(started_at_); }  // confirmed then
  std::uint64_t changes() const { return changes_; }                              // of the entries
  std::uint64_t failures() const { return failures_; }
  // Of the last question; empty: it was answered.
  const std::string& failing() const { return failing_; }

 private:
  friend class ConsulWatches;

  Result<void> on_answer(const std::string& body, bool after_gap) override;
  void on_unchanged(bool after_gap) override;
  void on_failure(const consul::Failure& failure) override;
  void confirmed(bool after_gap);
  void tell();

  const WatchKey key_;
  consul::Client& client_;
  const MonotonicTime started_at_;
  std::vector<WatchUser*> users_;
  std::vector<consul::HealthEntry> entries_;
  std::optional<MonotonicTime> answered_at_;
  bool after_gap_ = false;
  std::uint64_t changes_ = 0;
  std::uint64_t failures_ = 0;
  std::string failing_;
  consul::Watch watch_;
};

class ConsulWatches {
 public:
  ConsulWatches(consul::Client& client, Random& random) : client_(client), random_(random) {}

  ServiceWatch& use(const WatchKey& key, WatchUser& user);
  void release(ServiceWatch& watch, WatchUser& user);

  // visit(const ServiceWatch&), in order of their keys.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [key, watch] : watches_) {
      visit(*watch);
    }
  }
  std::size_t size() const { return watches_.size(); }

 private:
  consul::Client& client_;
  Random& random_;
  std::map<WatchKey, std::unique_ptr<ServiceWatch>> watches_;
};

}  // namespace remora::sources
