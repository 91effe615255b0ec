#include "control/catalog/health_view.h"

namespace remora::catalog {
namespace {

consul::StringMap pairs(const TextMap& map) { return {map.begin(), map.end()}; }

std::string_view word(Health health) {
  switch (health) {
    case Health::passing:
      return "passing";
    case Health::warning:
      return "warning";
    case Health::critical:
      return "critical";
  }
  return "critical";
}

void add_sidecar(const Service& service, const Sidecar& sidecar, consul::ServiceEntry& entry) {
  entry.kind = "connect-proxy";
  entry.service = sidecar.name.empty() ? service.name + "-sidecar-proxy" : sidecar.name;
  entry.id = sidecar.id.empty() ? service.id + "-sidecar-proxy" : sidecar.id;
  entry.address = sidecar.address.empty() ? service.address : sidecar.address;
  entry.port = sidecar.port;
  entry.socket_path.clear();
  if (!sidecar.tags.empty()) {
    entry.tags = sidecar.tags;
  }
  if (!sidecar.meta.empty()) {
    entry.meta = pairs(sidecar.meta);
  }
  entry.destination_service_name = service.name;
  entry.destination_service_id = service.id;
  entry.local_service_address = sidecar.proxy.local_service_address;
  entry.local_service_port = sidecar.proxy.local_service_port;
}

}  // namespace

consul::HealthEntry health_view(const Service& service, const std::string& datacenter) {
  consul::HealthEntry view;
  view.node.datacenter = datacenter;
  if (service.node != nullptr) {
    view.node.node = service.node->name;
    view.node.address = service.node->address;
    view.node.meta = pairs(service.node->meta);
    view.node.datacenter = service.node->datacenter;
  }
  consul::ServiceEntry& entry = view.service;
  entry.service = service.name;
  entry.id = service.id;
  entry.address = service.address;
  entry.port = service.port;
  entry.socket_path = service.socket_path;
  entry.tags = service.tags;
  entry.meta = pairs(service.meta);
  entry.weight_passing = service.weights.passing;
  entry.weight_warning = service.weights.warning;
  entry.connect_native = service.connect_native;
  if (service.sidecar) {
    add_sidecar(service, *service.sidecar, entry);
  }
  for (const Check& check : service.checks) {
    consul::CheckEntry& one = view.checks.emplace_back();
    one.node = view.node.node;
    one.check_id = check.id;
    one.name = check.name;
    one.status = word(check.status.value_or(service.health));
    one.service_id = service.id;
    one.service_name = service.name;
    one.service_tags = service.tags;
  }
  return view;
}

}  // namespace remora::catalog
