// Listeners: where the app reaches its upstreams, and where others reach the app. Pure functions; any thread.
// Source: Consul's agent/xds/listeners.go.
#pragma once

#include <optional>
#include <string>

#include "control/catalog/catalog.h"
#include "control/translate/chain.h"
#include "control/translate/problem.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

namespace remora::translate {

namespace listener_v3 = envoy::config::listener::v3;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

// One listener being made: its address and direction are set, its filter chain is not.
struct ListenerPlan {
  const catalog::Catalog& catalog;
  std::string name;
  std::string service;  // the proxy's own: the metrics' label
  listener_v3::Listener listener;
};

ListenerPlan plan_outbound(const catalog::Catalog& catalog, const std::string& service,
                           const catalog::Upstream& upstream);
// nullopt: nobody said which port (a problem).
std::optional<ListenerPlan> plan_inbound(const catalog::Catalog& catalog, const catalog::Service& service,
                                         const catalog::Sidecar& sidecar, Problems& problems);

// Where a path is exposed: beside the inbound listener. REQUIRES: the service has a sidecar.
ListenerPlan plan_exposed(const catalog::Catalog& catalog, const catalog::Service& service,
                          const catalog::ExposePath& path);

// HTTP by the route configuration of the listener's name.
listener_v3::Listener finish_http(ListenerPlan plan, Problems& problems);
listener_v3::Listener finish_tcp(ListenerPlan plan, TcpProxy tunnel, Problems& problems);

}  // namespace remora::translate
