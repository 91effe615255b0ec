// Ports that two would listen on. Who shares an address shares a machine; nobody else's ports matter.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "control/catalog/findings.h"

namespace remora::catalog {
namespace {

struct Use {
  std::string bind;  // an address; "0.0.0.0" meets all
  std::string what;
  Place place;
};

bool is_any(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

class Ports {
 public:
  explicit Ports(Report& report) : report_(report) {}

  void take(const std::string& machine, std::string bind, std::uint16_t port, std::string what, const Place& place) {
    if (port == 0) {
      return;
    }
    std::vector<Use>& uses = uses_[{machine, port}];
    for (const Use& use : uses) {
      if (use.bind == bind || is_any(use.bind) || is_any(bind)) {
        report_.error(place, fmt::format("{} wants port {} of {}, which {} has ({})", what, port, machine, use.what,
                                         use.place.to_string()));
        return;
      }
    }
    uses.push_back({std::move(bind), std::move(what), place});
  }

 private:
  Report& report_;
  std::map<std::pair<std::string, std::uint16_t>, std::vector<Use>> uses_;
};

std::string quoted(const Service& service) {
  return service.id == service.name ? fmt::format("'{}'", service.name)
                                    : fmt::format("'{}' ({})", service.name, service.id);
}

}  // namespace

void check_ports(const Catalog& catalog, Report& report) {
  if (!catalog.complete) {
    return;  // Consul's agents know their machines
  }
  Ports ports(report);
  for (const auto& [name, instances] : catalog.services) {
    for (const Service& service : *instances) {
      const std::string& machine = service.address;
      ports.take(machine, machine, service.port, "the service " + quoted(service), service.place);
    }
  }
  for (const auto& [name, instances] : catalog.services) {
    for (const Service& service : *instances) {
      if (!service.sidecar) {
        continue;
      }
      const Sidecar& sidecar = *service.sidecar;
      const std::string who = "the sidecar of " + quoted(service);
      const std::string& bind = !sidecar.proxy.config.bind_address.empty() ? sidecar.proxy.config.bind_address
                                : !sidecar.address.empty()                 ? sidecar.address
                                                                           : service.address;
      const std::uint16_t port = sidecar.proxy.config.bind_port != 0 ? sidecar.proxy.config.bind_port : sidecar.port;
      ports.take(service.address, bind, port, who, sidecar.place);
      for (const Upstream& upstream : sidecar.proxy.upstreams) {
        ports.take(service.address, upstream.local_bind_address, upstream.local_bind_port,
                   fmt::format("{}, for its upstream '{}',", who, upstream.destination_name), upstream.place);
      }
      for (const ExposePath& path : sidecar.proxy.expose.paths) {
        ports.take(service.address, bind, path.listener_port, fmt::format("{}, to expose {},", who, path.path),
                   path.place);
      }
    }
  }
}

}  // namespace remora::catalog
