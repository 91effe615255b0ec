// Retries and header matches: what service-router says of them, as Envoy's RetryPolicy and HeaderMatcher. Pure
// functions; any thread. Source: Consul's agent/xds/routes.go (getRetryPolicyForDestination).
#pragma once

#include <optional>

#include "control/catalog/service_router.h"
#include "control/translate/translate.h"
#include "envoy/config/route/v3/route_components.pb.h"

namespace remora::translate {

// Of a route that asks for any. With a number alone (Consul writes no condition then, so that Envoy never retries):
// failures that the service did not act on, and 502, 503, 504.
void set_retries(const catalog::Route& route, const std::optional<catalog::RetryTuning>& tuning,
                 const ProxyIdentity& identity, envoy::config::route::v3::Route& to, Problems& problems);

void set_header_match(const catalog::ValueMatch& from, envoy::config::route::v3::HeaderMatcher& to);

}  // namespace remora::translate
