// DnsSource: finds by DNS the endpoints of STRICT_DNS and LOGICAL_DNS clusters, again and again, and keeps the last
// good ones while nobody answers. Owned by Discovery; main thread. Semantics: Envoy's dns_refresh_rate,
// respect_dns_ttl, dns_failure_refresh_rate, dns_lookup_family. DnsCluster: one of those clusters, DnsName: one name of
// it. Owned by the source.
#pragma once

#include <array>
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
#include "proxy/sources/xds_client.h"

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
  std::string empty;    // why the last good answer has no addresses
};

class DnsSource;

class DnsName {
 public:
  // `changed` is called when the answer, or what is wrong with it, is another, and with the first outcome.
  DnsName(DnsSource& source, const std::string& cluster, const model::DnsDiscovery& discovery,
          const model::DnsDiscovery::Name& name, std::function<void()> changed);
  DnsName(const DnsName&) = delete;
  DnsName& operator=(const DnsName&) = delete;

  const model::DnsDiscovery::Name& name() const { return name_; }
  const std::vector<Address>& addresses() const { return addresses_; }  // with the port
  bool has_outcome() const { return has_outcome_; }
  bool answered() const { return answered_; }
  MonotonicTime good_at() const { return good_at_; }
  std::string why_empty() const;  // "'api.test': there is no such name (NXDOMAIN)"
  DnsNameFacts facts() const;

 private:
  // What came of both families' questions.
  struct Outcome {
    bool ok = false;
    bool empty = false;  // DNS answered, and there is none
    std::vector<Address> addresses = {};
    std::string why = {};
    Seconds ttl{0};
  };

  void look_up();
  void ask(net::Resolver::Family family);
  void on_answer(net::Resolver::Family family, const net::Answer& answer);
  void conclude();
  Outcome outcome() const;
  void fail(const Outcome& came);
  void take(Outcome came);
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
  std::string empty_;

  // of the lookup under way
  std::array<std::unique_ptr<net::Lookup>, 2> lookups_under_way_;
  std::array<std::optional<net::Answer>, 2> answers_;  // by family
  Timer timer_;
};

class DnsCluster {
 public:
  // A cluster of several names waits this long for the slower ones before it begins with those that are known.
  static constexpr Seconds kPatience{5};

  DnsCluster(DnsSource& source, const std::string& name, const model::DnsDiscovery& discovery);
  DnsCluster(const DnsCluster&) = delete;
  DnsCluster& operator=(const DnsCluster&) = delete;

  const model::DnsDiscovery& discovery() const { return discovery_; }
  const std::vector<std::unique_ptr<DnsName>>& names() const { return names_; }

 private:
  struct Found {
    std::vector<model::Endpoint> endpoints;
    std::string why_empty;
    bool answered = false;  // by any name
    friend bool operator==(const Found&, const Found&) = default;
  };

  void publish();
  Found found() const;

  DnsSource& source_;
  const std::string name_;
  const model::DnsDiscovery discovery_;                                         // names refer to it
  std::vector<std::shared_ptr<const model::HealthCheckTarget>> health_checks_;  // by name
  std::vector<std::unique_ptr<DnsName>> names_;
  std::optional<Found> published_;
  const MonotonicTime since_;
  Task publish_task_;
  Timer patience_timer_;
};

class DnsSource {
 public:
  struct Events {
    // `why_empty`: in words, when there are no endpoints.
    std::function<void(const std::string& cluster, std::vector<model::Endpoint>, std::string why_empty)> set_endpoints;
    // No name was ever answered: what the cluster has, from the disk perhaps, stays.
    std::function<void(const std::string& cluster, std::string why)> not_found;
    Log log = [](LogLevel, const std::string&) {};
  };

  // Whom a cluster asks; lives as long as the source.
  using ResolverOf = std::function<net::Resolver&(const model::DnsDiscovery& discovery)>;

  DnsSource(Loop& loop, ResolverOf resolver_of, Random& random, Events events);
  DnsSource(const DnsSource&) = delete;
  DnsSource& operator=(const DnsSource&) = delete;
  ~DnsSource();

  // The clusters that there are now: those with names are resolved, those no longer named are forgotten.
  void follow(std::span<const std::shared_ptr<const model::Cluster>> clusters);

  std::vector<std::string> clusters() const;
  std::vector<DnsNameFacts> names() const;
  // Of one cluster; empty: it has no names.
  std::vector<DnsNameFacts> names(const std::string& cluster) const;

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
