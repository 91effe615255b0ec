// Members: who of the catalog's instances a target is: the sidecars of its service, or, where none is registered, the
// service itself, those that the subset's filter takes; soon after an outage of Consul, where none of them is well now,
// as they were before it. Pointers into the catalog, which outlives them. Values; any thread. Source: Consul's
// /v1/health/connect and service-resolver.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/catalog/catalog.h"
#include "control/translate/problem.h"
#include "control/translate/target.h"

namespace remora::translate {

struct Member {
  const catalog::Service* service = nullptr;
  const catalog::Sidecar* sidecar = nullptr;  // null: it has none, and is called itself
  std::string address;                        // an IP address, or a name
  std::uint16_t port = 0;                     // 0: socket_path
  std::string socket_path;
  std::uint32_t weight = 1;
  catalog::Health health = catalog::Health::passing;  // the worse one of the service's and its sidecar's

  const std::string& id() const { return service->id; }
};

// In the catalog's order. A filter that does not parse takes nobody, and is a problem.
std::vector<Member> members_of(const catalog::Catalog& catalog, const Target& target, Problems& problems);

}  // namespace remora::translate
