// Clusters: a destination of a chain as Envoy's Cluster, with its endpoints in the shape that the proxy can take, its
// health checks, balancer and limits. Pure functions; any thread. Source: Consul's agent/xds/{clusters,endpoints}.go.
#pragma once

#include "control/translate/chain.h"
#include "control/translate/settings.h"
#include "control/translate/translate.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"

namespace remora::translate {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace endpoint_v3 = envoy::config::endpoint::v3;

// `name`: the target's, unless two upstreams want the same target on different terms.
cluster_v3::Cluster make_cluster(const Call& call, const ProxyIdentity& identity, const Chain& chain,
                                 const Destination& destination, const std::string& name, Problems& problems);

// The members of the destination (priority 0) and of its failover (1, 2, …).
endpoint_v3::ClusterLoadAssignment make_assignment(const catalog::Catalog& catalog, const Destination& destination,
                                                   const std::string& name, Problems& problems);

// Of a prepared query, which Consul alone can answer.
cluster_v3::Cluster make_query_cluster(const Call& call, const ProxyIdentity& identity, Problems& problems);

// The service behind the sidecar.
cluster_v3::Cluster make_local_app(const catalog::Catalog& catalog, const catalog::Service& service,
                                   const catalog::Sidecar& sidecar);

// The same service at another port: exposed_cluster() is its name.
cluster_v3::Cluster make_exposed_app(const catalog::Catalog& catalog, const catalog::Service& service,
                                     const catalog::ExposePath& path, const ProxyIdentity& identity);

constexpr const char* kLocalApp = "local_app";

}  // namespace remora::translate
