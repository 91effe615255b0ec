// Health checks: what a service's definition says of checks, for the proxies to carry out: a mesh file has no Consul
// agent who would. A cluster has one kind of check; an instance whose own differs, or that has none, is not checked.
// Pure functions; any thread. Source: Consul's structs.CheckType; envoy.config.core.v3.HealthCheck.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/translate/members.h"
#include "envoy/config/core/v3/health_check.pb.h"
#include "envoy/config/endpoint/v3/endpoint_components.pb.h"

namespace remora::translate {

// Of one instance, as far as proxies can do it.
struct ActiveCheck {
  envoy::config::core::v3::HealthCheck check;
  std::uint16_t port = 0;
};

// nullopt: it has none, or none that a proxy can carry out (those are problems).
std::optional<ActiveCheck> active_check(const catalog::Service& service, Problems& problems);

// Gives the cluster the first member's check that there is, and each endpoint its port, or none.
class HealthChecks {
 public:
  explicit HealthChecks(Problems& problems) : problems_(problems) {}

  void add(const Member& member, envoy::config::endpoint::v3::Endpoint& endpoint);
  // nullopt: nobody is checked.
  const std::optional<envoy::config::core::v3::HealthCheck>& check() const { return check_; }

 private:
  Problems& problems_;
  std::optional<envoy::config::core::v3::HealthCheck> check_;
  std::string bytes_;
  std::string first_;  // who has it
  std::vector<envoy::config::endpoint::v3::Endpoint*> unchecked_;
};

}  // namespace remora::translate
