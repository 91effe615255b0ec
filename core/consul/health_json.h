// What Consul's health endpoints and prepared queries answer, as HealthEntries. The text is parsed where it lies and
// nothing of it is kept. Pure functions; any thread. Source: Consul's API documentation (/v1/health, /v1/query).
#pragma once

#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/consul/health_entry.h"

namespace remora::consul {

struct HealthOptions {
  bool keep_output = false;  // of checks: a filter asks for it
};

// The body of /v1/health/service/:name and /v1/health/connect/:name: a list. The error names the place in it, as
// "[2].Service.Port", and what was expected there.
Result<std::vector<HealthEntry>> parse_health(std::string_view body, const HealthOptions& options = {});

// The body of /v1/query/:name/execute: {"Service": …, "Nodes": [entries], …}.
Result<std::vector<HealthEntry>> parse_prepared_query(std::string_view body, const HealthOptions& options = {});

}  // namespace remora::consul
