// From what Consul's health endpoints say to whom a cluster may call: which instances answer a target, with which
// address and weight. Pure functions; any thread.
// Sources: Consul's API documentation (/v1/health), and what Consul itself makes of weights, states and addresses for
// Envoy (service weights below 1 take no traffic, above 128 count as 128).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/consul/filter.h"
#include "core/consul/health_entry.h"
#include "proxy/model/cluster.h"

namespace remora::sources {

// An instance's state: the worst of its checks', its node's among them. No check at all: passing.
enum class InstanceState : std::uint8_t { passing, warning, critical };
InstanceState state_of(const consul::HealthEntry& entry);

struct Selection {
  std::vector<model::Endpoint> endpoints;
  std::vector<std::string> skipped;  // instances that answer but cannot be called, and why; for people
};

struct TargetView {
  const model::ConsulDiscovery::Target& target;
  const consul::Filter& filter;
  std::uint32_t priority = 0;
  bool remote = false;      // another datacenter: WAN addresses, where there are any
  bool all_states = false;  // Consul filtered already (a prepared query): only critical ones are left out
};

// In the order in which Consul named them; an address that several instances share counts once.
Selection select_instances(const std::vector<consul::HealthEntry>& entries, const TargetView& view);

}  // namespace remora::sources
