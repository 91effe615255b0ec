#include "control/translate/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "control/catalog/health_view.h"
#include "core/consul/filter.h"
#include "core/consul/health_entry.h"

namespace remora::translate {
namespace {

using catalog::Service;
using catalog::Sidecar;

bool is_in(const catalog::Catalog& catalog, const Service& service, const std::string& datacenter) {
  const std::string& wanted = datacenter.empty() ? catalog.datacenter : datacenter;
  const bool own = service.node == nullptr || service.node->datacenter.empty();
  return (own ? catalog.datacenter : service.node->datacenter) == wanted;
}

Member member(const Service& service, const Sidecar* sidecar) {
  Member result;
  result.service = &service;
  result.sidecar = sidecar;
  result.address = service.address;
  result.port = service.port;
  result.health = service.health;
  catalog::Weights weights = service.weights;
  if (sidecar != nullptr) {
    if (!sidecar->address.empty()) {
      result.address = sidecar->address;
    }
    result.port = sidecar->port;
    result.health = std::max(service.health, sidecar->health);
    weights = sidecar->weights.value_or(weights);
  } else if (service.port == 0) {
    result.socket_path = service.socket_path;
  }
  result.weight = result.health == catalog::Health::warning ? weights.warning : weights.passing;
  return result;
}

// Those of the instances that the target takes.
std::vector<Member> take(const catalog::Catalog& catalog, const Target& target, const consul::Filter& filter,
                         std::span<const Service> all) {
  const bool sidecars = std::ranges::any_of(all, [&](const Service& one) {
    return is_in(catalog, one, target.datacenter) && (one.sidecar || one.connect_native);
  });
  std::vector<Member> result;
  for (const Service& one : all) {
    if (!is_in(catalog, one, target.datacenter) || (sidecars && !one.sidecar && !one.connect_native)) {
      continue;
    }
    const Sidecar* sidecar = one.sidecar ? &*one.sidecar : nullptr;
    if (!filter.matches_all()) {
      const consul::HealthEntry entry = catalog::health_view(one, catalog.datacenter);
      if (!filter.matches(consul::selectable(entry))) {
        continue;
      }
    }
    result.push_back(member(one, sidecar));
  }
  return result;
}

}  // namespace

std::vector<Member> members_of(const catalog::Catalog& catalog, const Target& target, Problems& problems) {
  consul::Filter filter;
  if (const catalog::ServiceResolver* resolver = catalog.resolver_of(target.service);
      resolver != nullptr && !target.subset.empty()) {
    const auto subset = resolver->subsets.find(target.subset);
    if (subset == resolver->subsets.end()) {
      return {};
    }
    auto parsed = consul::Filter::parse(subset->second.filter, consul::health_entry_schema());
    if (!parsed) {
      problems.push_back({Problem::Severity::error, subset->second.place,
                          fmt::format("subset '{}' of '{}': {}", target.subset, target.service,
                                      parsed.error().to_string(subset->second.filter))});
      return {};
    }
    filter = std::move(*parsed);
  }
  std::vector<Member> members = take(catalog, target, filter, catalog.instances(target.service));
  // Soon after an outage of Consul nobody is well by what it says: those stay who were, until it has had the time to
  // look.
  const auto well = [](const Member& one) { return one.health == catalog::Health::passing && one.weight > 0; };
  if (std::ranges::none_of(members, well)) {
    auto before = take(catalog, target, filter, catalog.held_instances(target.service));
    if (std::ranges::any_of(before, well)) {
      return before;
    }
  }
  return members;
}

}  // namespace remora::translate
