// Listeners that tunnel TCP: every field, its default, and what is wrong with it.
#include "tests/unit/xds/load.h"

namespace remora::xds::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with_tunnel(const std::string& fields, const std::string& listener = "") {
  return R"(static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    )" + listener +
         R"(
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, )" +
         fields + R"(}
  clusters: [{name: a}, {name: b}]
)";
}

const std::string kTunnel = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";

TEST(TcpProxy, DefaultsAreEnvoys) {
  const Loaded snapshot = load(with_tunnel("stat_prefix: t, cluster: a"));
  ASSERT_TRUE(snapshot);
  const model::TcpProxy* tcp = snapshot->listeners[0]->tcp();
  ASSERT_NE(tcp, nullptr);
  EXPECT_EQ(tcp->stat_prefix, "t");
  ASSERT_EQ(tcp->targets.size(), 1U);
  EXPECT_EQ(tcp->targets[0].cluster, "a");
  EXPECT_EQ(tcp->max_connect_attempts, 1U);
  EXPECT_EQ(tcp->idle_timeout, 1h);
  EXPECT_EQ(tcp->max_connection_duration, 0ms);
  EXPECT_FALSE(tcp->hash_source_ip);
  EXPECT_TRUE(snapshot->listeners[0]->access_logs().empty());
}

TEST(TcpProxy, EveryFieldIsRead) {
  const Loaded snapshot =
      load(with_tunnel("stat_prefix: t, weighted_clusters: {clusters: [{name: a, weight: 2}, {name: b, weight: 3}]}, "
                       "max_connect_attempts: 3, idle_timeout: 0s, max_downstream_connection_duration: 60s, "
                       "hash_policy: [{source_ip: {}}], access_log: [{name: x, typed_config: {'@type': "
                       "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}}]"));
  ASSERT_TRUE(snapshot);
  const model::TcpProxy& tcp = *snapshot->listeners[0]->tcp();
  ASSERT_EQ(tcp.targets.size(), 2U);
  EXPECT_EQ(tcp.targets[1].cluster, "b");
  EXPECT_EQ(tcp.targets[1].weight, 3U);
  EXPECT_EQ(tcp.max_connect_attempts, 3U);
  EXPECT_EQ(tcp.idle_timeout, 0ms);
  EXPECT_EQ(tcp.max_connection_duration, 60s);
  EXPECT_TRUE(tcp.hash_source_ip);
  EXPECT_EQ(tcp.access_logs.size(), 1U);
}

TEST(TcpProxy, WhatIsWrongIsSaidWithItsPlace) {
  const auto wrong = [](const std::string& fields) { return errors(with_tunnel(fields)); };
  EXPECT_THAT(wrong("stat_prefix: t"), ElementsAre(kTunnel + ": one of cluster, weighted_clusters is required"));
  EXPECT_THAT(wrong("cluster: a"), ElementsAre(HasSubstr(kTunnel + ".stat_prefix: ")));
  EXPECT_THAT(wrong("stat_prefix: t, cluster: nobody"),
              ElementsAre(kTunnel + ".cluster: there is no cluster 'nobody'"));
  EXPECT_THAT(wrong("stat_prefix: t, weighted_clusters: {clusters: [{name: a}, {name: c, weight: 1}]}"),
              ElementsAre(kTunnel + ".weighted_clusters.clusters[0].weight: must be at least 1",
                          kTunnel + ".weighted_clusters.clusters[1].name: there is no cluster 'c'"));
  EXPECT_THAT(wrong("stat_prefix: t, weighted_clusters: {}"),
              ElementsAre(kTunnel + ".weighted_clusters.clusters: at least one cluster is required"));
  EXPECT_THAT(wrong("stat_prefix: t, cluster: a, max_connect_attempts: 0"),
              ElementsAre(kTunnel + ".max_connect_attempts: must be at least 1"));
  EXPECT_THAT(wrong("stat_prefix: t, cluster: a, tunneling_config: {hostname: x}"),
              ElementsAre(HasSubstr("is Envoy's, but not supported")));
  EXPECT_THAT(errors(with_tunnel("stat_prefix: t, cluster: a",
                                 "metadata: {filter_metadata: {remora: {max_request_body_bytes: 5}}}")),
              ElementsAre(HasSubstr("of HTTP, and this listener tunnels TCP")));
}

}  // namespace
}  // namespace remora::xds::testing
