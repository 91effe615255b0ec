// A configuration that changes under load: nothing that was begun is lost, nothing that stays is disturbed.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

// A cluster for World::clusters, at upstream 10.0.1.<n>.
std::string cluster(std::string_view name, int upstream) {
  return fmt::format(
      "{{name: {0}, type: STATIC, load_assignment: {{cluster_name: {0}, endpoints: [{{lb_endpoints: [{{endpoint: "
      "{{address: {{socket_address: {{address: 10.0.1.{1}, port_value: 80}}}}}}}}]}}]}}}}",
      name, upstream);
}

std::string route_to(std::string_view prefix, std::string_view cluster) {
  return fmt::format("{{match: {{prefix: {}}}, route: {{cluster: {}}}}}", prefix, cluster);
}

// A listener for World::listeners, that sends all to cluster "up".
std::string listener(std::string_view name, int port) {
  return fmt::format(
      "{{name: {}, address: {{socket_address: {{address: 10.0.0.1, port_value: {}}}}}, filter_chains: [{{filters: "
      "[{{name: http, typed_config: {{'@type': "
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
      "stat_prefix: s, route_config: {{name: r, virtual_hosts: [{{name: all, domains: ['*'], routes: [{{match: "
      "{{prefix: /}}, route: {{cluster: up, timeout: 0s}}}}]}}]}}, http_filters: [{{name: envoy.filters.http.router, "
      "typed_config: "
      "{{'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]}}}}]}}]}}",
      name, port);
}

TEST(Swap, WhatDidNotChangeKeepsItsConnections) {
  Story story;
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_TRUE(story.reload({}).errors.empty());  // the same words, but nothing is the same object
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.upstream().connections(), 1U) << "the warm connection was not reused";
  EXPECT_EQ(story.network().connects(), 2U) << "the client had to connect anew";
  story.expect_no_leftovers();
}

TEST(Swap, AnEndpointThatWasAddedGetsItsShare) {
  Story story({.upstreams = 2, .endpoints = {0}});
  story.client_sends("GET /");
  story.client_gets(200);
  story.reload({.endpoints = {0, 1}});
  for (int i = 0; i < 4; ++i) {
    story.client_sends("GET /");
    story.client_gets(200);
  }
  EXPECT_EQ(story.upstream(0).requests().size(), 3U);
  EXPECT_EQ(story.upstream(1).requests().size(), 2U);
  EXPECT_EQ(story.upstream(0).connections(), 1U);
}

TEST(Swap, AnEndpointThatWasRemovedFinishesWhatItHas) {
  Story story({.upstreams = 2, .endpoints = {0}});
  story.upstream(0).next(answer(200, "idle")).next(answer(200, "late").in(2s));
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  story.client_sends("GET /", "", "", 0);
  story.reload({.endpoints = {1}});
  story.client_sends("GET /", "", "", 1);
  story.client_gets(200, 1);
  EXPECT_EQ(story.upstream(1).requests().size(), 1U);
  EXPECT_EQ(story.worker().leftovers().endpoints, 1U);
  EXPECT_EQ(story.client_gets(200, 0, 3s).body, "late");
  story.advance(10ms);
  EXPECT_EQ(story.upstream(0).open_connections(), 0U) << "nobody will use it again";
  story.expect_no_leftovers();
}

void logical(model::Cluster& cluster) {
  model::DnsDiscovery dns;
  dns.logical = true;
  cluster.discovery = std::move(dns);
}

TEST(Swap, ConnectionsOutliveTheAddressOfALogicalName) {
  Story story({.upstreams = 2, .endpoints = {0}, .found = logical});
  story.client_sends("GET /");
  story.client_gets(200);
  story.reload({.endpoints = {1}, .found = logical});
  for (int i = 0; i < 3; ++i) {
    story.client_sends("GET /");
    story.client_gets(200);
  }
  EXPECT_EQ(story.upstream(0).requests().size(), 4U);
  EXPECT_EQ(story.upstream(0).connections(), 1U);
  EXPECT_EQ(story.upstream(1).connections(), 0U);

  story.upstream(0).next(answer(200, "late").in(1s));
  story.client_sends("GET /", "", "", 0);
  story.client_sends("GET /", "", "", 1);  // a second connection goes where the name points now
  story.client_gets(200, 1);
  EXPECT_EQ(story.upstream(1).requests().size(), 1U);
  EXPECT_EQ(story.client_gets(200, 0, 2s).body, "late");
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.upstream(1).requests().size(), 2U) << "today's address goes first";

  story.reload({.endpoints = {0}, .found = logical});  // and back
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.upstream(0).connections(), 1U);
  EXPECT_EQ(story.upstream(0).requests().size(), 6U);

  story.reload({.endpoints = {0}});  // no name any more
  story.advance(10ms);
  EXPECT_EQ(story.upstream(1).open_connections(), 0U);
  EXPECT_EQ(story.upstream(0).open_connections(), 1U);
  story.expect_no_leftovers();
}

TEST(Swap, ALogicalNamesOldConnectionThatEndsIsForgotten) {
  Story story({.upstreams = 2, .endpoints = {0}, .found = logical});
  story.client_sends("GET /");
  story.client_gets(200);
  story.reload({.endpoints = {1}, .found = logical});
  story.upstream(0).close_all();
  story.advance(10ms);
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.upstream(1).requests().size(), 1U);
  story.expect_no_leftovers();
}

TEST(Swap, ARequestWithoutEndpointsHearsWhatDnsSaid) {
  Story story({.found = [](model::Cluster& cluster) {
    cluster.discovery = model::DnsDiscovery{};
    cluster.endpoints.clear();
    cluster.why_empty = "'api.test': there is no such name (NXDOMAIN)";
  }});
  story.client_sends("GET /", "accept: application/json\r\n");
  const sim::WireMessage answer = story.client_gets(503);
  EXPECT_EQ(answer.header("x-remora-reason"), "dns_failed");
  EXPECT_THAT(answer.body, ::testing::HasSubstr("'api.test': there is no such name (NXDOMAIN)"));
  EXPECT_THAT(answer.body, ::testing::HasSubstr("\"details\":\"no_healthy_upstream\""));
  EXPECT_THAT(answer.body, ::testing::HasSubstr("typed_dns_resolver_config"));
}

TEST(Swap, IdleConnectionsOfARemovedEndpointClose) {
  Story story({.upstreams = 2});
  story.client_sends("GET /");
  story.client_gets(200);
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.upstream(0).open_connections(), 1U);
  story.reload({.endpoints = {1}});
  story.advance(10ms);
  EXPECT_EQ(story.upstream(0).open_connections(), 0U);
  EXPECT_EQ(story.upstream(1).open_connections(), 1U);
  story.expect_no_leftovers();
}

TEST(Swap, AnEndpointThatComesBackWhileItDrainsIsTheSame) {
  Story story({.upstreams = 2, .endpoints = {0}});
  story.upstream(0).next(answer(200, "late").in(1s));
  story.client_sends("GET /", "", "", 0);
  upstream::EndpointShared* before = &story.endpoint();
  story.reload({.endpoints = {1}});
  story.reload({.endpoints = {0, 1}});
  EXPECT_EQ(&story.endpoint(), before);
  story.client_gets(200, 0, 2s);
  story.advance(10ms);
  EXPECT_EQ(story.upstream(0).open_connections(), 1U) << "it is wanted again";
  story.expect_no_leftovers();
}

TEST(Swap, ARetryGoesToTheEndpointsOfNow) {
  const std::string retry = "retry_policy: {retry_on: 5xx, num_retries: 1, retry_back_off: {base_interval: 0.1s}}";
  Story story({.route = retry, .upstreams = 2, .endpoints = {0}});
  story.upstream(0).always(answer(503, "going").in(50ms));
  story.client_sends("GET /");
  story.reload({.route = retry, .endpoints = {1}});
  story.client_gets(200, 0, 500ms);
  EXPECT_EQ(story.upstream(1).requests().size(), 1U);
}

TEST(Swap, ARequestKeepsTheRouteThatItWasBornWith) {
  Story story({.route = "timeout: 5s", .upstreams = 2, .endpoints = {0}});
  story.upstream(0).next(answer(200, "old", "x-from: old\r\n").in(1s));
  story.client_sends("GET /");
  World world{.route = "timeout: 0.5s", .endpoints = {0}};
  world.virtual_host = "response_headers_to_add: [{header: {key: x-new, value: 'yes'}}]";
  story.reload(world);
  const auto first = story.client_gets(200, 0, 2s);
  EXPECT_EQ(first.body, "old") << "the new, shorter timeout is not its own";
  EXPECT_FALSE(first.has("x-new"));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).header("x-new"), "yes") << "the same connection follows the new configuration";
  story.expect_no_leftovers();
}

TEST(Swap, ARouteThatMovesTakesNewRequestsAtOnce) {
  Story story({.upstreams = 2, .endpoints = {0}});
  story.upstream(0).next(answer(200, "slow").in(1s));
  story.client_sends("GET /v2/x", "", "", 0);
  story.reload({.clusters = cluster("second", 2), .routes = route_to("/v2", "second"), .endpoints = {0}});
  story.client_sends("GET /v2/x", "", "", 1);
  story.client_gets(200, 1);
  EXPECT_EQ(story.upstream(1).requests().size(), 1U);
  EXPECT_EQ(story.client_gets(200, 0, 2s).body, "slow");
}

TEST(Swap, AClusterThatWasRemovedLivesUntilItsLastRequestIsDone) {
  const std::string retry = "retry_policy: {retry_on: 5xx, num_retries: 3, retry_back_off: {base_interval: 0.1s}}";
  const std::string route = fmt::format("{{match: {{prefix: /second}}, route: {{cluster: second, {}}}}}", retry);
  Story story({.upstreams = 2, .clusters = cluster("second", 2), .routes = route, .endpoints = {0}});
  story.upstream(1).next(answer(503, "first").in(500ms)).next(answer(200, "retried").in(500ms));
  story.client_sends("GET /second", "", "", 0);
  story.reload({.endpoints = {0}});
  story.client_sends("GET /second", "", "", 1);
  story.client_gets(200, 1);
  EXPECT_EQ(story.upstream(0).requests().size(), 1U) << "new requests do not know it any more";
  EXPECT_EQ(story.worker().leftovers().clusters, 1U);
  EXPECT_EQ(story.client_gets(200, 0, 3s).body, "retried") << "even a retry goes there";
  story.advance(10ms);
  EXPECT_EQ(story.upstream(1).open_connections(), 0U);
  story.expect_no_leftovers();
}

TEST(Swap, AClusterThatComesBackCountsOn) {
  const World with{.upstreams = 2, .clusters = cluster("second", 2), .routes = route_to("/second", "second")};
  Story story(with);
  story.upstream(1).next(answer(200, "slow").in(1s));
  story.client_sends("GET /second", "", "", 0);
  upstream::ClusterShared* before = &story.cluster("second");
  story.reload({.endpoints = {0}});
  story.reload(with);
  EXPECT_EQ(&story.cluster("second"), before);
  EXPECT_EQ(before->limits.active(upstream::ClusterLimits::Kind::requests), 1U);
  story.client_gets(200, 0, 2s);
  EXPECT_EQ(before->limits.active(upstream::ClusterLimits::Kind::requests), 0U);
  story.expect_no_leftovers();
}

TEST(Swap, AnEjectedEndpointStaysEjected) {
  const std::string detection =
      "outlier_detection: {consecutive_5xx: 3, base_ejection_time: 30s, interval: 1s, max_ejection_percent: 100}";
  Story story({.cluster = detection, .upstreams = 2});
  story.upstream(0).always(answer(500, "broken"));
  while (story.upstream(0).requests().size() < 3) {
    const std::size_t before = story.upstream(0).requests().size();
    story.client_sends("GET /");
    story.client_gets(story.upstream(0).requests().size() > before ? 500 : 200);
  }
  EXPECT_TRUE(story.endpoint(0).health.ejected);
  story.reload({.cluster = detection + ", connect_timeout: 1s", .upstreams = 2});
  EXPECT_TRUE(story.endpoint(0).health.ejected);
  for (int i = 0; i < 6; ++i) {
    story.client_sends("GET /");
    story.client_gets(200);
  }
  EXPECT_EQ(story.upstream(0).requests().size(), 3U);
  story.upstream(0).always(answer(200));
  story.advance(32s);
  EXPECT_FALSE(story.endpoint(0).health.ejected) << "its time is over";
}

TEST(Swap, AnOpenBreakerStaysOpen) {
  const std::string breaker = "breaker: {failure_threshold: 2, recovery_time: 10s}";
  Story story({.cluster_metadata = breaker});
  story.upstream().next(answer(500)).next(answer(500));
  for (int i = 0; i < 2; ++i) {
    story.client_sends("GET /");
    story.client_gets(500);
  }
  EXPECT_EQ(story.cluster().breaker.state(), upstream::Breaker::State::open);
  story.reload({.cluster = "connect_timeout: 1s", .cluster_metadata = breaker});
  story.client_sends("GET /");
  story.client_gets(503);
  EXPECT_EQ(story.upstream().requests().size(), 2U);
  story.advance(10s);
  story.client_sends("GET /");
  story.client_gets(200);
}

TEST(Swap, NewLimitsHoldAtOnceAndKeepWhatIsCounted) {
  const auto limit = [](int most) {
    return fmt::format("circuit_breakers: {{thresholds: [{{max_requests: {}}}]}}", most);
  };
  Story story({.cluster = limit(10)});
  story.upstream().next(answer(200, "late").in(1s)).next(answer(200, "late").in(1s));
  story.client_sends("GET /", "", "", 0);
  story.client_sends("GET /", "", "", 1);
  story.reload({.cluster = limit(2)});
  story.client_sends("GET /", "", "", 2);
  story.client_gets(503, 2);
  story.reload({.cluster = limit(3)});
  story.client_sends("GET /", "", "", 2);
  story.client_gets(200, 2);
  story.client_gets(200, 0, 2s);
  story.client_gets(200, 1, 2s);
}

TEST(Swap, AListenerThatWasAddedServes) {
  Story story;
  EXPECT_TRUE(story.reload({.listeners = listener("other", 9090)}).errors.empty());
  story.client_connects(0, 9090);
  story.client_sends("GET /");
  story.client_gets(200);
}

TEST(Swap, AListenerThatWasRemovedDrains) {
  Story story({.listeners = listener("other", 9090)});
  story.client_connects(0, 9090);
  story.client_connects(1, 9090);
  story.upstream().next(answer(200, "ok")).next(answer(200, "late").in(2s));
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  story.client_sends("GET /", "", "", 1);
  story.reload({});
  story.client_is_closed(0);
  story.client_connects(2, 9090);
  story.client_sends("GET /", "", "", 2);
  story.advance(10ms);
  EXPECT_EQ(story.client(2).received, "") << "nobody listens there";
  story.client_is_open(1);
  EXPECT_EQ(story.client_gets(200, 1, 3s).header("connection"), "close");
  story.client_is_closed(1);
  story.client_sends("GET /", "", "", 3);  // "main" never noticed
  story.client_gets(200, 3);
  story.expect_no_leftovers();
}

TEST(Swap, WhatIsLeftOfARemovedListenerIsCutAfterTheDrainTime) {
  Story story({.listeners = listener("other", 9090)});
  story.client_connects(0, 9090);
  story.upstream().next(silence());
  story.client_sends("GET /");
  story.reload({});
  story.advance(24s);
  story.client_is_open();
  story.advance(2s);
  story.client_is_closed();
  story.expect_no_leftovers();
}

TEST(Swap, AListenerThatMovesDrainsAtItsOldAddress) {
  Story story;
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  story.upstream().next(answer(200, "late").in(1s));
  story.client_sends("GET /", "", "", 0);
  EXPECT_TRUE(story.reload({.port = 9090}).errors.empty());
  story.client_sends("GET /", "", "", 1);  // to the new address
  story.client_gets(200, 1);
  EXPECT_EQ(story.client_gets(200, 0, 2s).header("connection"), "close");
  story.client_is_closed(0);
  story.expect_no_leftovers();
}

TEST(Swap, AListenerThatIsRenamedKeepsItsSocketAndConnections) {
  Story story({.listeners = listener("other", 9090)});
  story.client_connects(0, 9090);
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_TRUE(story.reload({.listeners = listener("another", 9090)}).errors.empty());
  story.client_sends("GET /");
  EXPECT_FALSE(story.client_gets(200).has("connection"));
}

TEST(Swap, AnAddressThatIsTakenLeavesTheListenerWhereItWas) {
  Story story;
  sim::FakeUpstream squatter(story.loop(), story.network(), Address::parse("10.0.0.1", 9090).value());
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  const World moved{.clusters = cluster("second", 1), .routes = route_to("/new", "second"), .port = 9090};
  const auto applied = story.reload(moved);
  ASSERT_EQ(applied.errors.size(), 1U);
  EXPECT_EQ(applied.errors[0].listener, "main");
  EXPECT_NE(applied.errors[0].words.find("10.0.0.1:9090"), std::string::npos) << applied.errors[0].words;
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  story.client_connects(1, 8080);  // it still accepts there
  story.client_sends("GET /", "", "", 1);
  story.client_gets(200, 1);

  squatter.stop_listening();
  EXPECT_TRUE(story.reload(moved).errors.empty());
  story.client_sends("GET /new", "", "", 2);
  story.client_gets(200, 2);
  story.client_is_closed(0);
  story.expect_no_leftovers();
}

TEST(Swap, AListenerThatHadToStayKeepsTheClustersOfItsRoutes) {
  const World before{.upstreams = 2, .clusters = cluster("second", 2), .routes = route_to("/second", "second")};
  Story story(before);
  sim::FakeUpstream squatter(story.loop(), story.network(), Address::parse("10.0.0.1", 9090).value());
  EXPECT_EQ(story.reload({.port = 9090, .endpoints = {0}}).errors.size(), 1U);
  story.client_connects(0, 8080);
  story.client_sends("GET /second");
  story.client_gets(200);
  EXPECT_EQ(story.upstream(1).requests().size(), 1U);
  story.client_leaves();
  squatter.stop_listening();
  EXPECT_TRUE(story.reload({.port = 9090, .endpoints = {0}}).errors.empty());
  story.expect_no_leftovers();
}

TEST(Swap, AListenerThatTunnelsFromNowOnDrainsItsHttp) {
  Story story({.upstreams = 2, .clusters = cluster("second", 1), .endpoints = {0}});
  story.upstream().next(answer(200, "ok")).next(answer(200, "late").in(1s));
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  story.client_sends("GET /", "", "", 1);
  EXPECT_TRUE(story.reload({.tcp = "cluster: up", .endpoints = {1}}).errors.empty());
  story.client_is_closed(0);
  story.client_sends("GET /tunnel", "", "", 2);  // tunnels are not asked what they carry
  EXPECT_FALSE(story.client_gets(200, 2).has("server"));
  EXPECT_EQ(story.upstream(1).requests().size(), 1U);
  const auto late = story.client_gets(200, 1, 2s);
  EXPECT_EQ(late.header("connection"), "close");
  EXPECT_EQ(late.header("server"), "remora");

  EXPECT_TRUE(story.reload({.endpoints = {1}}).errors.empty());  // and back
  story.client_sends("GET /", "", "", 3);
  EXPECT_TRUE(story.client_gets(200, 3).has("server"));
  story.client_sends("GET /tunnel", "", "", 2);
  EXPECT_FALSE(story.client_gets(200, 2).has("server")) << "a tunnel is what it was";
  story.client_leaves(2);
  story.expect_no_leftovers();
}

TEST(Swap, ATunnelKeepsTheClusterThatItIsJoinedTo) {
  Story story({.upstreams = 2, .tcp = "cluster: second", .clusters = cluster("second", 2), .endpoints = {0}});
  story.client_sends("GET /");
  story.client_gets(200);
  story.reload({.tcp = "cluster: up", .endpoints = {0}});
  story.advance(5s);
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.upstream(1).requests().size(), 2U);
  EXPECT_EQ(story.worker().leftovers().clusters, 1U);
  story.client_leaves();
  story.expect_no_leftovers();
}

TEST(Swap, MetricsCountOn) {
  Story story;
  story.client_sends("GET /");
  story.client_gets(200);
  story.reload({.cluster = "connect_timeout: 1s"});
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.cluster_metrics().attempts.value(), 2U);
  EXPECT_EQ(story.cluster_metrics().connections_opened.value(), 1U);
  EXPECT_EQ(story.cluster_metrics().connections_active.value(), 1);
}

TEST(Swap, OtherSocketOptionsNeedOtherConnections) {
  Story story;
  story.upstream().next(answer(200, "ok")).next(answer(200, "late").in(1s));
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  story.client_sends("GET /", "", "", 0);
  story.reload({.cluster = "upstream_connection_options: {tcp_keepalive: {keepalive_time: 30}}"});
  story.client_gets(200, 0, 2s);
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  EXPECT_EQ(story.upstream().connections(), 2U);
  EXPECT_EQ(story.upstream().requests().at(1).connection, 0U);
}

TEST(Swap, ManySwapsUnderLoadLoseNothing) {
  Story story({.upstreams = 4});
  for (std::size_t i = 0; i < 4; ++i) {
    story.upstream(i).always(answer(200, "ok").in(3ms));
  }
  constexpr int kClients = 8;
  int answered = 0;
  for (int round = 0; round < 60; ++round) {
    for (int client = 0; client < kClients; ++client) {
      story.client(client).send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n");
    }
    story.advance(Microseconds(1500));
    World world{.endpoints = {round % 4, (round + 1) % 4}};
    if (round % 3 == 0) {
      world.clusters = cluster("second", 1);
      world.routes = route_to("/second", "second");
    }
    if (round % 5 == 0) {
      world.listeners = listener("other", 9090);
    }
    EXPECT_TRUE(story.reload(world).errors.empty());
    for (int client = 0; client < kClients; ++client) {
      const auto response = story.client_gets(200, client, 100ms);
      answered += response.status() == 200 ? 1 : 0;
      EXPECT_FALSE(response.has("connection"));
    }
  }
  EXPECT_EQ(answered, 60 * kClients);
  EXPECT_EQ(story.requests_upstream(), static_cast<std::size_t>(answered)) << "nothing was sent twice";
  story.expect_no_leftovers();
}

}  // namespace
}  // namespace remora::scenarios
