// DnsSource: finds by DNS the endpoints of STRICT_DNS and LOGICAL_DNS clusters, again and again, and keeps the last
// good ones while nobody answers. Owned by the sidecar; main thread. Semantics: Envoy's dns_refresh_rate,
// respect_dns_ttl, dns_failure_refresh_rate, dns_lookup_family. DnsCluster: one of those clusters, DnsName: one name of
// it. Owned by the source.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/event/loop.h"
#include "core/net/resolver.h"
#include "proxy/model/cluster.h"

namespace remora::sources {

// One name, for pages.
struct DnsNameFacts {
  std::string cluster;
  std::string host;
  std::vector<Address> addresses;  // of the last good answer
  bool answered = false;           // ever
  Nanoseconds age{0};              // since the last good answer; since the beginning when there is none
  std::uint64_t lookups = 0;
  std::uint64_t failures = 0;
  std::string failing;  // what is wrong now; empty: nothing
};

class DnsSource;

class DnsName {
 public:
  // `changed` is called when the answer is another, and with the first outcome.
  DnsName(DnsSource& source, const std::string& cluster, const model::DnsDiscovery& discovery,
          const model::DnsDiscovery::Name& name, std::function<void()> changed);
  DnsName(const DnsName&) = delete;
  DnsName& operator=(const DnsName&) = delete;

  const model::DnsDiscovery::Name& name() const { return name_; }
  const std::vector<Address>& addresses() const { return addresses_; }  // with the port
  bool has_outcome() const { return has_outcome_; }
  MonotonicTime good_at() const { return good_at_; }
  DnsNameFacts facts() const;

 private:
  void look_up();
  void ask(net::Resolver::Family family);
  void on_answer(net::Resolver::Family family, const net::Answer& answer);
  void conclude();
  void take(std::vector<Address> addresses);
  Nanoseconds pause_after_success(Seconds ttl);
  Nanoseconds pause_after_failure();

  DnsSource& source_;
  const std::string& cluster_;
  const model::DnsDiscovery& discovery_;
  const model::DnsDiscovery::Name& name_;
  const std::function<void()> changed_;
  net::Resolver& resolver_;

  std::vector<Address> addresses_;
  bool has_outcome_ = false;
  bool answered_ = false;
  MonotonicTime good_at_;
  std::uint64_t lookups_ = 0;
  std::uint64_t failures_ = 0;
  std::uint32_t failures_in_a_row_ = 0;
  std::string failing_;

  // of the lookup under way
  std::unique_ptr<net::Lookup> lookups_under_way_[2];
  std::optional<net::Answer> answers_[2];  // by family
  Timer timer_;
};

class DnsCluster {
 public:
  DnsCluster(DnsSource& source, std::shared_ptr<const model::Cluster> config);
  DnsCluster(const DnsCluster&) = delete;
  DnsCluster& operator=(const DnsCluster&) = delete;

  const model::DnsDiscovery& discovery() const { return discovery_; }
  const std::vector<std::unique_ptr<DnsName>>& names() const { return names_; }
  // The same discovery: its static endpoints may differ.
  void adopt(std::shared_ptr<const model::Cluster> config);

 private:
  void publish();
  std::vector<model::Endpoint> endpoints();

  DnsSource& source_;
  std::shared_ptr<const model::Cluster> config_;
  // Of the first configuration: names refer to it.
  const model::DnsDiscovery discovery_;
  const std::string name_;
  std::vector<std::unique_ptr<DnsName>> names_;
  std::optional<std::vector<model::Endpoint>> published_;
  std::optional<Address> logical_;  // kept while it is among the answers: a rotation is no change
  Task publish_task_;
};

class DnsSource {
 public:
  struct Events {
    std::function<void(const std::string& cluster, std::vector<model::Endpoint> endpoints)> set_endpoints;
    // For the log: what went wrong, or is well again.
    std::function<void(const std::string& words)> tell = [](const std::string&) {};
  };

  // Whom a cluster asks; lives as long as the source.
  using ResolverOf = std::function<net::Resolver&(const model::DnsDiscovery& discovery)>;

  DnsSource(Loop& loop, ResolverOf resolver_of, Random& random, Events events);
  DnsSource(const DnsSource&) = delete;
  DnsSource& operator=(const DnsSource&) = delete;
  ~DnsSource();

  // The clusters that there are now: those with names are resolved, those no longer named are forgotten.
  void follow(std::span<const std::shared_ptr<const model::Cluster>> clusters);

  std::vector<DnsNameFacts> names() const;

  struct Counts {
    std::uint64_t answered = 0;  // with addresses
    std::uint64_t empty = 0;     // there is no such name, or it has no address
    std::uint64_t failed = 0;    // nobody answered, or with an error
  };
  const Counts& counts() const { return counts_; }
  // Since the last good answer of the name that has waited longest.
  Nanoseconds age() const;

 private:
  friend class DnsCluster;
  friend class DnsName;

  Loop& loop_;
  const ResolverOf resolver_of_;
  Random& random_;
  const Events events_;
  Counts counts_;
  std::map<std::string, std::unique_ptr<DnsCluster>> clusters_;
};

}  // namespace remora::sources
