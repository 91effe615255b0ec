// What came while the proxy runs, for /config_dump: the dynamic lists of Envoy's dumps, with versions, states and
// errors. Main thread. Source: envoy.admin.v3.{ListenersConfigDump, ClustersConfigDump, RoutesConfigDump,
// EndpointsConfigDump}.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/admin/json.h"
#include "proxy/admin/facts.h"

namespace remora::admin {

// "2026-01-02T03:04:05.678Z"
std::string timestamp(WallTime time);

// The dynamic lists of one dump ("ListenersConfigDump"), into its open object; nothing where there are none.
void write_dynamic(JsonWriter& json, std::string_view dump, const DynamicFacts& facts,
                   const std::function<bool(std::string_view)>& wanted);

}  // namespace remora::admin
