#include <fmt/format.h>

#include <limits>

#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace tcp_v3 = envoy::extensions::filters::network::tcp_proxy::v3;

void check_cluster(const Scope& scope, const std::string& name, const Environment& environment) {
  if (environment.clusters != nullptr && !name.empty() && !environment.clusters->contains(name)) {
    scope.error(fmt::format("there is no cluster '{}'", name));
  }
}

void read_weighted(const Scope& scope, const tcp_v3::TcpProxy::WeightedCluster& message, const Environment& environment,
                   model::TcpProxy& tcp) {
  const Scope list = scope.field("clusters");
  if (message.clusters_size() == 0) {
    list.error("at least one cluster is required");
  }
  std::uint64_t sum = 0;
  for (int i = 0; i < message.clusters_size(); ++i) {
    const auto& from = message.clusters(i);
    const Scope at = list.item(static_cast<std::size_t>(i));
    require(at, "name", from.name());
    check_cluster(at.field("name"), from.name(), environment);
    if (from.weight() == 0) {
      at.error("weight", "must be at least 1");
    }
    sum += from.weight();
    tcp.targets.push_back({from.name(), from.weight()});
  }
  if (sum > std::numeric_limits<std::uint32_t>::max()) {
    list.error(fmt::format("the sum of the weights must be at most {}", std::numeric_limits<std::uint32_t>::max()));
  }
}

}  // namespace

model::TcpProxy read_tcp_proxy(const Scope& scope, const tcp_v3::TcpProxy& message, const Environment& environment) {
  model::TcpProxy tcp;
  require(scope, "stat_prefix", message.stat_prefix());
  tcp.stat_prefix = message.stat_prefix();
  switch (message.cluster_specifier_case()) {
    case tcp_v3::TcpProxy::kCluster:
      require(scope, "cluster", message.cluster());
      check_cluster(scope.field("cluster"), message.cluster(), environment);
      tcp.targets.push_back({message.cluster(), 1});
      break;
    case tcp_v3::TcpProxy::kWeightedClusters:
      read_weighted(scope.field("weighted_clusters"), message.weighted_clusters(), environment, tcp);
      break;
    case tcp_v3::TcpProxy::CLUSTER_SPECIFIER_NOT_SET:
      scope.error("one of cluster, weighted_clusters is required");
      break;
  }
  if (message.has_max_connect_attempts()) {
    tcp.max_connect_attempts = message.max_connect_attempts().value();
    if (tcp.max_connect_attempts == 0) {
      scope.error("max_connect_attempts", "must be at least 1");
    }
  }
  if (message.has_idle_timeout()) {
    tcp.idle_timeout = read_duration(scope.field("idle_timeout"), message.idle_timeout());
  }
  if (message.has_max_downstream_connection_duration()) {
    tcp.max_connection_duration = read_duration(scope.field("max_downstream_connection_duration"),
                                                message.max_downstream_connection_duration(), Sign::positive);
  }
  const Scope policies = scope.field("hash_policy");
  if (message.hash_policy_size() > 1) {
    policies.error(fmt::format("one hash policy is allowed, not {}", message.hash_policy_size()));
  } else if (message.hash_policy_size() == 1) {
    tcp.hash_source_ip = message.hash_policy(0).has_source_ip();
    if (!tcp.hash_source_ip) {
      const Scope first = policies.item(0);
      first.error("source_ip is required");
    }
  }
  tcp.access_logs = read_access_logs(scope.field("access_log"), message.access_log());
  return tcp;
}

}  // namespace remora::xds
