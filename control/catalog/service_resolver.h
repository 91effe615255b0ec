// ServiceResolver: the config entry `service-resolver`: which instances a service is: subsets, redirect, failover, and
// how to choose among them. A value; any thread. Source: Consul's structs.ServiceResolverConfigEntry.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/catalog/common.h"

namespace remora::catalog {

struct Subset {
  Place place;
  std::string filter;  // Consul's filter language, over a /v1/health answer; empty: every instance
  bool only_passing = false;

  bool operator==(const Subset&) const = default;
};

struct Redirect {
  Place place;
  std::string service;  // empty: the same
  std::string service_subset;
  std::string datacenter;

  bool operator==(const Redirect&) const = default;
};

// Empty ones are those of the resolver that fails over.
struct FailoverTarget {
  Place place;
  std::string service;
  std::string service_subset;
  std::string datacenter;

  bool operator==(const FailoverTarget&) const = default;
};

// Either `targets`, or service, subset and datacenters, which mean one target for each datacenter.
struct Failover {
  Place place;
  std::string service;
  std::string service_subset;
  std::vector<std::string> datacenters;
  std::vector<FailoverTarget> targets;

  bool operator==(const Failover&) const = default;
};

struct HashPolicy {
  enum class Kind : std::uint8_t { header, cookie, query_parameter, source_ip };
  Place place;
  Kind kind = Kind::source_ip;
  std::string field_value;  // the name of the header, cookie or parameter
  // Of a cookie that is made where there is none: cookie_config. ttl 0: a session's cookie.
  bool generate_cookie = false;
  Nanoseconds cookie_ttl{0};
  std::string cookie_path;
  bool terminal = false;

  bool operator==(const HashPolicy&) const = default;
};

struct LoadBalancer {
  enum class Policy : std::uint8_t { unset, random, round_robin, least_request, ring_hash, maglev };
  Place place;
  Policy policy = Policy::unset;
  std::optional<std::uint64_t> minimum_ring_size;
  std::optional<std::uint64_t> maximum_ring_size;
  std::optional<std::uint32_t> choice_count;
  std::vector<HashPolicy> hash_policies;

  bool operator==(const LoadBalancer&) const = default;
};

struct ServiceResolver {
  EntryHead head;
  std::optional<Nanoseconds> connect_timeout;
  std::optional<Nanoseconds> request_timeout;
  std::string default_subset;
  std::map<std::string, Subset, std::less<>> subsets;
  std::optional<Redirect> redirect;
  std::map<std::string, Failover, std::less<>> failover;  // by subset; "*": every other; "": the unnamed subset
  std::optional<LoadBalancer> load_balancer;

  bool operator==(const ServiceResolver&) const = default;
};

}  // namespace remora::catalog
