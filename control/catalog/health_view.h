// How a subset's filter sees a service of a mesh file: as Consul's health endpoint would describe its instance, which
// is its sidecar where it has one. A pure function; any thread. Source: Consul's /v1/health/connect/:service, and what
// `connect.sidecar_service` inherits (tags, meta).
#pragma once

#include <string>

#include "control/catalog/service.h"
#include "core/consul/health_entry.h"

namespace remora::catalog {

consul::HealthEntry health_view(const Service& service, const std::string& datacenter);

}  // namespace remora::catalog
