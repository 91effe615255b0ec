// Target: whose instances a request goes to: a service, or a subset of it, in one datacenter. Its name is the name of
// the cluster that translation makes of it. A value; any thread. Source: Consul's structs.DiscoveryTarget.
#pragma once

#include <compare>
#include <string>

namespace remora::translate {

struct Target {
  std::string service;
  std::string subset;      // empty: every instance
  std::string datacenter;  // empty: the catalog's own

  // "api", "api/v2", "api/v2@dc2"
  std::string name() const {
    return service + (subset.empty() ? "" : "/" + subset) + (datacenter.empty() ? "" : "@" + datacenter);
  }
  auto operator<=>(const Target&) const = default;
};

}  // namespace remora::translate
