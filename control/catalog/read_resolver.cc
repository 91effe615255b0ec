// The reader of service-resolver.
#include <fmt/format.h>

#include "control/catalog/entry_rows.h"
#include "control/catalog/readers.h"
#include "control/catalog/words.h"

namespace remora::catalog {
namespace {

constexpr std::string_view kNoLocalityPriority = "localities are Consul Enterprise's: not supported";

void read_ring(const At& at, LoadBalancer& into) {
  static constexpr std::array kRows = {
      row<&LoadBalancer::minimum_ring_size>("minimum_ring_size", Limits{0, 8 * 1024 * 1024}),
      row<&LoadBalancer::maximum_ring_size>("maximum_ring_size", Limits{0, 8 * 1024 * 1024})};
  read_rows(at, kRows, &into);
  const auto unset_zero = [](auto& size) {
    if (size && *size == 0) {
      size.reset();
    }
  };
  unset_zero(into.minimum_ring_size);
  unset_zero(into.maximum_ring_size);
  if (into.minimum_ring_size && into.maximum_ring_size && *into.minimum_ring_size > *into.maximum_ring_size) {
    at.error("minimum_ring_size", "is larger than maximum_ring_size");
  }
}

void read_least_request(const At& at, LoadBalancer& into) {
  static constexpr std::array kRows = {nonzero<&LoadBalancer::choice_count>("choice_count")};
  read_rows(at, kRows, &into);
  if (into.choice_count && *into.choice_count < 2) {
    at.error("choice_count", "expected at least 2: one alone is no choice");
  }
}

struct HashKeys {
  HashPolicy policy;
  std::string field;
  bool source_ip = false;
};

void read_cookie(const At& at, HashKeys& into) {
  struct Keys {
    bool session = false;
    std::optional<Nanoseconds> ttl;
    std::string path;
  } keys;
  static constexpr std::array kRows = {row<&Keys::session>("session"), duration<&Keys::ttl>("ttl"),
                                       row<&Keys::path>("path")};
  read_rows(at, kRows, &keys);
  if (keys.session && keys.ttl) {
    at.error("write session or ttl: a session's cookie has no end of its own");
  }
  into.policy.generate_cookie = keys.session || keys.ttl;
  into.policy.cookie_ttl = keys.ttl.value_or(Nanoseconds(0));
  into.policy.cookie_path = keys.path;
}

void read_field_value(const At& at, HashKeys& into) { read_value(at, into.policy.field_value, {}); }
void read_terminal(const At& at, HashKeys& into) { read_value(at, into.policy.terminal, {}); }

void read_policy(const At& at, Failover&) { read_failover_policy_words(at); }

void check_subset_known(const At& at, std::string_view key, const ServiceResolver& resolver, std::string_view service,
                        const std::string& subset) {
  const bool own = service.empty() || service == resolver.head.name;
  if (!subset.empty() && own && !resolver.subsets.contains(subset)) {
    at.error(key, fmt::format("the subset '{}' of '{}' is not defined in `subsets`", subset, resolver.head.name));
  }
}

void check_failover(const At& at, const ServiceResolver& resolver) {
  for (const auto& [subset, failover] : resolver.failover) {
    if (subset != "*" && !resolver.subsets.contains(subset)) {
      at.error("failover", fmt::format("'{}' is neither a subset of '{}' nor \"*\", which is every subset", subset,
                                       resolver.head.name));
    }
    check_subset_known(at, "failover", resolver, failover.service, failover.service_subset);
    for (const FailoverTarget& target : failover.targets) {
      check_subset_known(at, "failover", resolver, target.service, target.service_subset);
    }
  }
}

}  // namespace

void read_value(const At& at, Subset& into, const Limits&) {
  static constexpr std::array kRows = {row<&Subset::filter>("filter"), row<&Subset::only_passing>("only_passing")};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, Redirect& into, const Limits&) {
  static constexpr std::array kRows = {
      row<&Redirect::service>("service"),       row<&Redirect::service_subset>("service_subset"),
      row<&Redirect::datacenter>("datacenter"), refused("namespace", kNoNamespaces),
      refused("partition", kNoPartitions),      refused("peer", kNoPeers),
      refused("sameness_group", kNoSameness)};
  read_mapping(at, into, kRows);
  if (into.service.empty() && into.datacenter.empty()) {
    at.error("needs a service, a datacenter, or both");
  } else if (into.service.empty() && !into.service_subset.empty()) {
    at.error("service_subset", "needs the service that the subset is of");
  }
}

void read_value(const At& at, FailoverTarget& into, const Limits&) {
  static constexpr std::array kRows = {row<&FailoverTarget::service>("service"),
                                       row<&FailoverTarget::service_subset>("service_subset"),
                                       row<&FailoverTarget::datacenter>("datacenter"),
                                       refused("namespace", kNoNamespaces),
                                       refused("partition", kNoPartitions),
                                       refused("peer", kNoPeers)};
  read_mapping(at, into, kRows);
  if (into.service.empty() && into.service_subset.empty() && into.datacenter.empty()) {
    at.error("needs a service, a service_subset, a datacenter, or several of them");
  }
}

void read_value(const At& at, Failover& into, const Limits&) {
  static constexpr std::array kRows = {
      row<&Failover::service>("service"),         row<&Failover::service_subset>("service_subset"),
      row<&Failover::datacenters>("datacenters"), row<&Failover::targets>("targets"),
      custom<Failover, read_policy>("policy"),    refused("namespace", kNoNamespaces),
      refused("sameness_group", kNoSameness)};
  read_mapping(at, into, kRows);
  const bool flat = !into.service.empty() || !into.service_subset.empty() || !into.datacenters.empty();
  if (!flat && into.targets.empty()) {
    at.error("needs targets, or one of service, service_subset and datacenters");
  } else if (flat && !into.targets.empty()) {
    at.error("targets", "do not go with service, service_subset or datacenters: each target has its own");
  }
  for (const std::string& datacenter : into.datacenters) {
    if (datacenter.empty()) {
      at.error("datacenters", "the name of a datacenter is empty");
    }
  }
}

void read_value(const At& at, HashPolicy& into, const Limits&) {
  static constexpr std::array kRows = {
      row<&HashKeys::field>("field"), custom<HashKeys, read_field_value>("field_value"),
      custom<HashKeys, read_cookie>("cookie_config"), row<&HashKeys::source_ip>("source_ip"),
      custom<HashKeys, read_terminal>("terminal")};
  static constexpr std::array<std::string_view, 3> kFields = {"header", "cookie", "query_parameter"};
  HashKeys keys;
  read_rows(at, kRows, &keys);
  into = std::move(keys.policy);
  into.place = at.place();
  if (keys.source_ip == !keys.field.empty()) {
    at.error("write `field` (header, cookie or query_parameter) or source_ip, not both");
    return;
  }
  if (keys.source_ip) {
    if (!into.field_value.empty()) {
      at.error("field_value", "does not go with source_ip");
    }
    return;
  }
  const auto* field = at.find("field");
  if (const auto index = read_word(at.field("field", field == nullptr ? at.node() : *field), kFields)) {
    constexpr std::array kKinds = {HashPolicy::Kind::header, HashPolicy::Kind::cookie,
                                   HashPolicy::Kind::query_parameter};
    into.kind = kKinds[*index];
  }
  if (into.field_value.empty()) {
    at.error(fmt::format("needs field_value, the name of the {}", keys.field));
  }
  if (at.has("cookie_config") && keys.field != "cookie") {
    at.error("cookie_config", "goes with field: cookie");
  }
}

void read_value(const At& at, LoadBalancer& into, const Limits&) {
  static constexpr std::array kRows = {row<&LoadBalancer::policy>("policy"),
                                       custom<LoadBalancer, read_ring>("ring_hash_config"),
                                       custom<LoadBalancer, read_least_request>("least_request_config"),
                                       row<&LoadBalancer::hash_policies>("hash_policies")};
  using Policy = LoadBalancer::Policy;
  read_mapping(at, into, kRows);
  if (at.has("ring_hash_config") && into.policy != Policy::ring_hash) {
    at.error("ring_hash_config", "goes with policy: ring_hash");
  }
  if (at.has("least_request_config") && into.policy != Policy::least_request) {
    at.error("least_request_config", "goes with policy: least_request");
  }
  if (!into.hash_policies.empty() && into.policy != Policy::ring_hash && into.policy != Policy::maglev) {
    at.error("hash_policies", "go with policy: ring_hash or maglev");
  }
}

void read_value(const At& at, ServiceResolver& into, const Limits&) {
  static constexpr auto kRows = entry_rows<ServiceResolver>(std::array{
      duration<&ServiceResolver::connect_timeout>("connect_timeout"),
      duration<&ServiceResolver::request_timeout>("request_timeout"),
      row<&ServiceResolver::default_subset>("default_subset"), row<&ServiceResolver::subsets>("subsets"),
      row<&ServiceResolver::redirect>("redirect"), row<&ServiceResolver::failover>("failover"),
      row<&ServiceResolver::load_balancer>("load_balancer"), refused("prioritize_by_locality", kNoLocalityPriority)});
  read_mapping(at, into, kRows);
  settle_head(at, into.head);
  for (const auto& [subset, definition] : into.subsets) {
    check_name(at, "subsets", "the name of a subset", subset);
  }
  check_subset_known(at, "default_subset", into, {}, into.default_subset);
  check_failover(at, into);
  if (into.redirect && !into.failover.empty()) {
    at.error("failover", "does not go with redirect: write it in the resolver of the service that this leads to");
  }
}

}  // namespace remora::catalog
