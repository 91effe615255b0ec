// Routes: a chain as the RouteConfiguration of its outbound listener; what a router, splitter and resolver say of
// matches, rewrites, times, retries, headers and hashing. Pure functions; any thread.
// Source: Consul's agent/xds/routes.go.
#pragma once

#include <functional>
#include <string>

#include "control/translate/chain.h"
#include "control/translate/settings.h"
#include "control/translate/translate.h"
#include "envoy/config/route/v3/route.pb.h"

namespace remora::translate {

namespace route_v3 = envoy::config::route::v3;

// The name of the cluster of a destination.
using ClusterNames = std::function<std::string(const Destination&)>;

route_v3::RouteConfiguration make_routes(const Call& call, const ProxyIdentity& identity, const Chain& chain,
                                         const std::string& name, const ClusterNames& cluster_of, Problems& problems);

// What answers where a service cannot be reached by its routes: 503 with the reasons.
route_v3::RouteConfiguration make_broken_routes(const std::string& name, const std::string& service,
                                                const Problems& problems);

// Everything to one cluster.
route_v3::RouteConfiguration make_inbound_routes(const std::string& name, const std::string& service,
                                                 const std::string& cluster, std::optional<Nanoseconds> request_timeout,
                                                 std::optional<Nanoseconds> idle_timeout = {});

// The name of a chain's route, by what it matches: "api:/v2*", "api:=/exact", "api:~regex", "api:*" for the rest; of
// several with one path the second is "api:/v2*#2".
class RouteNames {
 public:
  std::string next(const Chain& chain, const ChainRoute& route);

 private:
  std::map<std::string, int> used_;
};

}  // namespace remora::translate
