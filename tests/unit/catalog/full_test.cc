// golden/full.yaml, value by value.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/catalog/mesh_files.h"

namespace remora::catalog {
namespace {

using testing::ElementsAre;
using testing::Pair;

class Full : public testing::Test {
 protected:
  void SetUp() override {
    loaded_ = MeshFiles({REMORA_GOLDEN "full.yaml"}).load();
    ASSERT_NE(loaded_.catalog, nullptr);
  }
  const Catalog& mesh() const { return *loaded_.catalog; }

  Loaded loaded_;
};

TEST_F(Full, Services) {
  const Service* web = mesh().find_instance("web", "");
  ASSERT_NE(web, nullptr);
  EXPECT_EQ(web->id, "web");
  EXPECT_EQ(web->port, 9000);
  EXPECT_EQ(web->place.to_string(), REMORA_GOLDEN "full.yaml:4:5");
  EXPECT_EQ(web->place.path, "service/web");
  const auto api = mesh().instances("api");
  ASSERT_EQ(api.size(), 2U);
  EXPECT_THAT(api[0].tags, ElementsAre("v1", "blue"));
  EXPECT_THAT(api[0].meta, ElementsAre(Pair("version", "1")));
  EXPECT_EQ(api[0].weights, (Weights{10, 2}));
  EXPECT_THAT(api[1].meta, ElementsAre(Pair("version", "2")));
  EXPECT_EQ(mesh().find_instance("api", "api-2"), &api[1]);
  EXPECT_EQ(mesh().find_instance("api", "api-3"), nullptr);
  EXPECT_EQ(mesh().find_instance("cache", "")->socket_path, "/run/cache.sock");
}

TEST_F(Full, Checks) {
  const Check& http = mesh().instances("api")[0].checks.at(0);
  EXPECT_EQ(http.kind, Check::Kind::http);
  EXPECT_EQ(http.target, "http://10.0.0.2:9001/health");
  EXPECT_EQ(http.method, "HEAD");
  EXPECT_THAT(http.header, ElementsAre(Pair("x-check", ElementsAre("one", "two"))));
  EXPECT_EQ(http.interval, Seconds(10));
  EXPECT_EQ(http.timeout, Seconds(5));
  EXPECT_EQ(http.success_before_passing, 2U);
  EXPECT_EQ(http.failures_before_critical, 3U);
  EXPECT_TRUE(http.tls_skip_verify);
  const auto& checks = mesh().instances("api")[1].checks;
  ASSERT_EQ(checks.size(), 3U);
  EXPECT_EQ(checks[0].kind, Check::Kind::tcp);
  EXPECT_EQ(checks[0].interval, Seconds(90));
  EXPECT_EQ(checks[1].kind, Check::Kind::ttl);
  EXPECT_EQ(checks[1].status, Health::passing);
  EXPECT_EQ(checks[1].deregister_critical_service_after, Seconds(5400));
  EXPECT_EQ(checks[2].kind, Check::Kind::grpc);
  EXPECT_TRUE(checks[2].tls);
}

TEST_F(Full, SidecarAndUpstreams) {
  const Sidecar& sidecar = *mesh().find_instance("web", "")->sidecar;
  EXPECT_EQ(sidecar.port, 21000);
  EXPECT_EQ(sidecar.proxy.destination_service_id, "web");
  EXPECT_EQ(sidecar.proxy.mode, ProxyMode::direct);
  EXPECT_EQ(sidecar.proxy.local_service_address, "127.0.0.2");
  EXPECT_TRUE(sidecar.proxy.expose.checks);
  EXPECT_EQ(sidecar.proxy.expose.paths.at(0).listener_port, 20200);
  const ProxySettings& config = sidecar.proxy.config;
  EXPECT_EQ(config.bind_port, 21000);
  EXPECT_EQ(config.local_connect_timeout, Milliseconds(1500));
  EXPECT_EQ(config.local_request_timeout, Nanoseconds(0));  // none at all
  EXPECT_EQ(config.max_inbound_connections, 100U);
  const auto& upstreams = sidecar.proxy.upstreams;
  ASSERT_EQ(upstreams.size(), 3U);
  EXPECT_EQ(upstreams[0].config.connect_timeout, Milliseconds(250));
  EXPECT_EQ(upstreams[0].config.limits->max_concurrent_requests, 30U);
  EXPECT_EQ(upstreams[0].config.passive_health_check->base_ejection_time, Seconds(45));
  EXPECT_EQ(upstreams[0].config.passive_health_check->enforcing_consecutive_5xx, 80U);
  EXPECT_EQ(upstreams[0].config.mesh_gateway, MeshGatewayMode::none);
  EXPECT_TRUE(upstreams[0].config.balance_outbound_connections);
  EXPECT_EQ(upstreams[0].config.extensions.breaker->recovery_time, Seconds(20));
  EXPECT_EQ(upstreams[0].config.extensions.retry_budget->budget_percent, 25);
  EXPECT_EQ(upstreams[1].local_bind_socket_mode, "0660");
  EXPECT_EQ(upstreams[1].datacenter, "dc2");
  EXPECT_EQ(upstreams[2].destination_type, Upstream::DestinationType::prepared_query);
  EXPECT_EQ(upstreams[2].local_bind_address, "127.0.0.1");
}

TEST_F(Full, Defaults) {
  const ProxyDefaults& all = *mesh().proxy_defaults;
  EXPECT_TRUE(all.allow_unauthenticated);
  EXPECT_EQ(all.config.protocol, "http");
  EXPECT_EQ(all.config.extensions.retry_policy->base_interval, Milliseconds(25));
  EXPECT_EQ(all.access_logs->type, AccessLogs::Type::file);
  EXPECT_EQ(all.mesh_gateway, MeshGatewayMode::local);
  const ServiceDefaults& api = *mesh().defaults_of("api");
  EXPECT_EQ(api.mode, ProxyMode::transparent);
  EXPECT_EQ(api.transparent_proxy->outbound_listener_port, 15100);
  EXPECT_EQ(api.external_sni, "api.example.com");
  EXPECT_EQ(api.local_request_timeout, Seconds(30));
  EXPECT_EQ(api.upstream_defaults->connect_timeout, Milliseconds(900));
  EXPECT_EQ(api.upstream_overrides.at(0).limits->max_connections, 3U);
  // `config` wins over meta.remora, key by key.
  EXPECT_EQ(api.extensions.breaker->failure_threshold, 7U);
  EXPECT_EQ(api.extensions.breaker->probes, std::nullopt);
  EXPECT_EQ(api.extensions.discovery->hold_empty, Seconds(45));
  EXPECT_EQ(api.extensions.fault->delay, Seconds(1));
  EXPECT_EQ(mesh().protocol_of("api"), Protocol::http);
  EXPECT_EQ(mesh().protocol_of("web"), Protocol::http);  // proxy-defaults'
}

TEST_F(Full, Router) {
  const auto& routes = mesh().router_of("api")->routes;
  ASSERT_EQ(routes.size(), 2U);
  const RouteMatch& match = routes[0].match;
  EXPECT_EQ(match.path, (PathMatch{PathMatch::Kind::prefix, "/v2"}));
  EXPECT_TRUE(match.case_insensitive);
  EXPECT_THAT(match.methods, ElementsAre("GET", "POST"));
  ASSERT_EQ(match.header.size(), 3U);
  EXPECT_EQ(match.header[0].kind, ValueMatch::Kind::exact);
  EXPECT_TRUE(match.header[1].invert);
  EXPECT_EQ(match.header[2].value, "^[0-9]+$");
  EXPECT_EQ(match.query_param.at(1).kind, ValueMatch::Kind::present);
  const RouteDestination& to = routes[0].destination;
  EXPECT_EQ(to.service_subset, "v2");
  EXPECT_EQ(to.request_timeout, Seconds(5));
  EXPECT_EQ(to.idle_timeout, Seconds(-1));
  EXPECT_EQ(to.num_retries, 2U);
  EXPECT_THAT(to.retry_on_status_codes, ElementsAre(502, 503));
  EXPECT_THAT(to.request_headers.remove, ElementsAre("x-e"));
  EXPECT_EQ(routes[0].extensions.fault->abort_percentage, 0.5);
  EXPECT_EQ(routes[0].extensions.request_mirror_policies->at(0).percentage, 5);
  EXPECT_EQ(routes[0].place.path, "service-router/api.routes[0]");
}

TEST_F(Full, SplitterAndResolver) {
  const auto& splits = mesh().splitter_of("api")->splits;
  EXPECT_EQ(splits.at(0).weight, 9950U);
  EXPECT_EQ(splits.at(1).weight, 50U);
  const ServiceResolver& api = *mesh().resolver_of("api");
  EXPECT_EQ(api.connect_timeout, Seconds(3));
  EXPECT_EQ(api.request_timeout, Seconds(60));
  EXPECT_TRUE(api.subsets.at("v2").only_passing);
  EXPECT_EQ(api.failover.at("*").targets.at(1).datacenter, "dc3");
  EXPECT_EQ(api.load_balancer->policy, LoadBalancer::Policy::ring_hash);
  EXPECT_EQ(api.load_balancer->maximum_ring_size, 2048U);
  const auto& hashes = api.load_balancer->hash_policies;
  ASSERT_EQ(hashes.size(), 3U);
  EXPECT_TRUE(hashes[0].terminal);
  EXPECT_EQ(hashes[1].cookie_ttl, Seconds(3600));
  EXPECT_TRUE(hashes[1].generate_cookie);
  EXPECT_EQ(hashes[2].kind, HashPolicy::Kind::source_ip);
  EXPECT_EQ(mesh().resolver_of("old-api")->redirect->service_subset, "v2");
  EXPECT_EQ(mesh().resolver_of("cache")->load_balancer->choice_count, 3U);
}

TEST_F(Full, Intentions) {
  const auto& sources = mesh().intentions_of("api")->sources;
  ASSERT_EQ(sources.size(), 2U);
  EXPECT_EQ(sources[0].name, "web");  // the more exact one first
  EXPECT_EQ(sources[0].precedence, 9);
  EXPECT_EQ(sources[0].permissions.at(1).header.at(0).kind, ValueMatch::Kind::contains);
  EXPECT_EQ(sources[1].precedence, 8);
  EXPECT_FALSE(mesh().allow_by_default);
}

}  // namespace
}  // namespace remora::catalog
