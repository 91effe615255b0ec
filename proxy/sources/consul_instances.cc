#include "proxy/sources/consul_instances.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace remora::sources {
namespace {

constexpr std::int64_t kMostWeight = 128;

bool same_word(std::string_view a, std::string_view b) {  // Consul's tags know no case
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool has_tags(const consul::ServiceEntry& service, const std::vector<std::string>& tags) {
  return std::ranges::all_of(tags, [&](const std::string& wanted) {
    return std::ranges::any_of(service.tags, [&](const std::string& tag) { return same_word(tag, wanted); });
  });
}

bool wanted(const consul::HealthEntry& entry, const TargetView& view, InstanceState state) {
  if (state == InstanceState::critical) {
    return false;
  }
  if (state == InstanceState::warning && view.target.only_passing && !view.all_states) {
    return false;
  }
  return has_tags(entry.service, view.target.tags) &&
         (view.filter.matches_all() || view.filter.matches(consul::selectable(entry)));
}

consul::ServiceAddress address_of(const consul::HealthEntry& entry, bool remote) {
  if (remote) {
    for (const auto& [name, address] : entry.service.tagged_addresses) {
      if (name == "wan" && !address.address.empty()) {
        return {address.address, address.port > 0 ? address.port : entry.service.port};
      }
    }
  }
  if (!entry.service.address.empty()) {
    return {entry.service.address, entry.service.port};
  }
  if (remote) {
    for (const auto& [name, address] : entry.node.tagged_addresses) {
      if (name == "wan" && !address.empty()) {
        return {address, entry.service.port};
      }
    }
  }
  return {entry.node.address, entry.service.port};
}

Result<Address> socket_of(const consul::HealthEntry& entry, bool remote) {
  if (!entry.service.socket_path.empty()) {
    return Address::unix_path(entry.service.socket_path);
  }
  const consul::ServiceAddress at = address_of(entry, remote);
  if (at.port < 1 || at.port > 65535) {
    return fail(fmt::format("its port is {}: expected 1 to 65535", at.port));
  }
  if (at.address.empty()) {
    return fail("it has no address, and neither has its node");
  }
  return Address::parse(at.address, static_cast<std::uint16_t>(at.port));
}

}  // namespace

InstanceState state_of(const consul::HealthEntry& entry) {
  InstanceState state = InstanceState::passing;
  for (const consul::CheckEntry& check : entry.checks) {
    if (check.status == "warning") {
      state = std::max(state, InstanceState::warning);
    } else if (check.status != "passing") {  // critical, maintenance
      state = InstanceState::critical;
    }
  }
  return state;
}

Selection select_instances(const std::vector<consul::HealthEntry>& entries, const TargetView& view) {
  Selection selection;
  std::set<std::string> seen;
  for (const consul::HealthEntry& entry : entries) {
    const InstanceState state = state_of(entry);
    if (!wanted(entry, view, state)) {
      continue;
    }
    const auto address = socket_of(entry, view.remote);
    if (!address) {
      selection.skipped.push_back(
          fmt::format("instance {} on node {}: {}", entry.service.id, entry.node.node, address.error().message));
      continue;
    }
    const std::int64_t weight =
        state == InstanceState::warning ? entry.service.weight_warning : entry.service.weight_passing;
    if (weight < 1 || !seen.insert(address->to_string()).second) {
      continue;
    }
    model::Endpoint& endpoint = selection.endpoints.emplace_back();
    endpoint.address = *address;
    endpoint.weight = static_cast<std::uint32_t>(std::min(weight, kMostWeight));
    endpoint.priority = view.priority;
    endpoint.health = model::Endpoint::Health::healthy;
  }
  return selection;
}

}  // namespace remora::sources
