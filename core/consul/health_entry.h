// HealthEntry: one instance of a service as Consul's health endpoints describe it, without what nobody here asks for;
// and how a filter sees it. A mesh file's services take the same form, so that one filter judges both. Values; any
// thread. Sources: Consul's API documentation (/v1/health/service/:service), agent/structs.CheckServiceNode.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/consul/selectable.h"

namespace remora::consul {

using StringMap = std::vector<std::pair<std::string, std::string>>;

struct NodeEntry {
  std::string id;
  std::string node;  // its name
  std::string address;
  std::string datacenter;
  StringMap tagged_addresses;
  StringMap meta;

  friend bool operator==(const NodeEntry&, const NodeEntry&) = default;
};

struct ServiceAddress {
  std::string address;
  std::int64_t port = 0;

  friend bool operator==(const ServiceAddress&, const ServiceAddress&) = default;
};

struct ServiceEntry {
  std::string kind;  // empty: an ordinary one; "connect-proxy"
  std::string id;
  std::string service;  // its name
  std::vector<std::string> tags;
  std::string address;  // empty: the node's
  std::vector<std::pair<std::string, ServiceAddress>> tagged_addresses;
  StringMap meta;
  std::int64_t port = 0;
  std::string socket_path;
  std::int64_t weight_passing = 1;
  std::int64_t weight_warning = 1;
  bool enable_tag_override = false;
  std::string destination_service_name;  // of a sidecar: whose
  std::string destination_service_id;
  std::string local_service_address;
  std::int64_t local_service_port = 0;
  bool connect_native = false;

  friend bool operator==(const ServiceEntry&, const ServiceEntry&) = default;
};

struct CheckEntry {
  std::string node;
  std::string check_id;
  std::string name;
  std::string status;  // passing, warning, critical, maintenance
  std::string notes;
  std::string output;  // long, and different each time: kept only where a filter asks for it
  std::string service_id;
  std::string service_name;
  std::vector<std::string> service_tags;
  std::string type;

  friend bool operator==(const CheckEntry&, const CheckEntry&) = default;
};

struct HealthEntry {
  NodeEntry node;
  ServiceEntry service;
  std::vector<CheckEntry> checks;

  friend bool operator==(const HealthEntry&, const HealthEntry&) = default;
};

// What filters may select in a HealthEntry: Node, Service, Checks. Service.Proxy's upstreams, mesh gateway and exposed
// paths are not among it.
const Schema& health_entry_schema();
// Views onto `entry`, which outlives it.
Selectable selectable(const HealthEntry& entry);

}  // namespace remora::consul
