// Endpoints to and from envoy.config.endpoint.v3.ClusterLoadAssignment, for those that are not said by a control plane:
// what the proxy found itself is kept on the disk, and shown, in this form. Pure functions; main thread.
#pragma once

#include <string>
#include <vector>

#include "proxy/model/cluster.h"

namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}

namespace remora::xds {

void endpoints_to_proto(const std::string& cluster, const std::vector<model::Endpoint>& endpoints,
                        envoy::config::endpoint::v3::ClusterLoadAssignment& to);
// Endpoints that make no sense are left out.
std::vector<model::Endpoint> endpoints_from_proto(const envoy::config::endpoint::v3::ClusterLoadAssignment& from);

}  // namespace remora::xds
