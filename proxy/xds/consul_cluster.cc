#include <fmt/format.h>

#include "proxy/xds/readers.h"
#include "remora/clusters/consul/v3/consul.pb.h"

namespace remora::xds {
namespace {

namespace consul_v3 = remora::clusters::consul::v3;

model::ConsulDiscovery::Target read_target(const Scope& scope, const consul_v3::Target& message) {
  require(scope, "service", message.service());
  model::ConsulDiscovery::Target result;
  result.service = message.service();
  result.datacenter = message.datacenter();
  result.tags.assign(message.tags().begin(), message.tags().end());
  result.filter = message.filter();
  result.only_passing = !message.has_only_passing() || message.only_passing().value();
  result.connect = message.connect();
  return result;
}

}  // namespace

model::ConsulDiscovery read_consul_cluster(const Scope& scope, const consul_v3::ConsulCluster& message) {
  model::ConsulDiscovery result;
  if (message.has_target() == !message.prepared_query().empty()) {
    scope.error("exactly one of target and prepared_query is required");
  }
  if (message.has_target()) {
    result.targets.push_back(read_target(scope.field("target"), message.target()));
  }
  result.prepared_query = message.prepared_query();
  const Scope failover = scope.field("failover");
  if (message.failover_size() > 0 && !message.has_target()) {
    failover.error("is for a target: a prepared query has its own failover");
  }
  for (int i = 0; i < message.failover_size(); ++i) {
    result.targets.push_back(read_target(failover.item(static_cast<std::size_t>(i)), message.failover(i)));
  }
  if (message.has_poll_interval()) {
    result.poll_interval = read_duration(scope.field("poll_interval"), message.poll_interval(), Sign::positive);
  }
  if (!message.near().empty()) {
    result.near = message.near();
  }
  if (message.has_hold_empty()) {
    result.hold_empty = read_duration(scope.field("hold_empty"), message.hold_empty());
  }
  return result;
}

}  // namespace remora::xds
