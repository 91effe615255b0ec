#include <gmock/gmock.h>

#include "core/admin/json.h"
#include "proxy/admin/pages.h"
#include "proxy/xds/bootstrap.h"

namespace remora::admin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kBootstrap = R"(
static_resources:
  listeners:
  - name: outbound/api
    address: {socket_address: {address: 127.0.0.1, port_value: 9191}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: api
          merge_slashes: true
          route_config:
            name: outbound/api
            virtual_hosts:
            - name: api
              domains: ["*"]
              routes:
              - name: exact
                match: {path: /x}
                direct_response: {status: 204}
              - name: insiders
                match: {prefix: /v2, headers: [{name: x-user, string_match: {exact: a}}]}
                route:
                  weighted_clusters: {clusters: [{name: blue, weight: 90}, {name: green, weight: 10}]}
                  prefix_rewrite: /
                  timeout: 5s
                  retry_policy: {retry_on: "connect-failure,5xx", num_retries: 2, per_try_timeout: 0.25s}
              - name: gone
                match: {prefix: /gone}
                redirect: {host_redirect: new.example}
              - name: rest
                match: {prefix: /}
                route: {cluster: blue, timeout: 0s}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  - name: outbound/db
    address: {socket_address: {address: 127.0.0.1, port_value: 5432}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: db
          cluster: green
  clusters:
  - name: blue
    load_assignment:
      cluster_name: blue
      endpoints:
      - lb_endpoints:
        - {endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}
        - {endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 80}}}}
    common_lb_config: {healthy_panic_threshold: {value: 0}}
  - name: green
    load_assignment:
      cluster_name: green
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.3, port_value: 80}}}}]}]
)";

class FakeProxy final : public Facts, public Actions {
 public:
  FakeProxy() {
    auto loaded = xds::load_bootstrap(kBootstrap, "test", {});
    if (!loaded) {
      throw std::runtime_error(loaded.error().front().to_string());
    }
    snapshot_ = *loaded;
    for (const std::string& name : snapshot_->cluster_order) {
      ClusterFacts& facts = clusters_.emplace_back();
      facts.name = name;
      for (const model::Endpoint& endpoint : snapshot_->clusters.at(name)->endpoints) {
        facts.endpoints.emplace_back().address = endpoint.address;
      }
    }
  }

  ServerFacts server() const override { return {}; }
  std::vector<ClusterFacts> clusters() const override { return clusters_; }
  std::vector<ListenerFacts> listeners() const override {
    std::vector<ListenerFacts> out;
    for (const auto& listener : snapshot_->listeners) {
      out.push_back({listener->name, listener->address});
    }
    return out;
  }
  std::shared_ptr<const model::Snapshot> snapshot() const override { return snapshot_; }
  WallTime snapshot_loaded() const override { return {}; }
  DynamicFacts dynamic() const override { return dynamic_; }
  std::string metrics() const override { return {}; }
  std::vector<std::pair<std::string, std::string>> loggers() const override { return {}; }
  void quit() override {}
  void drain_listeners(const DrainListeners&) override {}
  void set_health_check_failed(bool) override {}
  void set_log_level(std::string_view, std::string_view) override {}
  Result<void> reopen_logs() override { return {}; }

  std::shared_ptr<const model::Snapshot> snapshot_;
  std::vector<ClusterFacts> clusters_;
  DynamicFacts dynamic_;
};

class RouteTest : public ::testing::Test {
 protected:
  AdminResponse get(std::string_view query) {
    return pages_.answer(AdminRequest::parse("GET", std::string("/route?") + std::string(query)));
  }
  std::string answer(std::string_view query) {
    const AdminResponse response = get(query);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body;
  }

  FakeProxy proxy_;
  AdminPages pages_{proxy_, proxy_};
};

TEST_F(RouteTest, TheWholeAnswer) {
  proxy_.clusters_[0].endpoints[1].failed_outlier_check = true;
  proxy_.clusters_[0].endpoints[0].rq_active = 3;
  proxy_.clusters_[0].breaker = "closed";
  EXPECT_EQ(answer("url=http://127.0.0.1:9191/v2/orders?page=1%26x=2&header=X-User:%20a"),
            "GET http://127.0.0.1:9191/v2/orders?page=1&x=2\n"
            "  listener   outbound/api on 127.0.0.1:9191\n"
            "  host       api\n"
            "  route      insiders (number 2 of 4)\n"
            "             not exact\n"
            "  sent as    //orders?page=1&x=2\n"
            "  cluster    blue, 90 %\n"
            "  endpoints  10.0.0.1:80 healthy, 3 active\n"
            "             10.0.0.2:80 ejected by outlier detection, 0 active\n"
            "  balanced   round_robin, connected within 5s\n"
            "  breaker    closed\n"
            "  cluster    green, 10 %\n"
            "  endpoints  10.0.0.3:80 healthy, 0 active\n"
            "  balanced   round_robin, connected within 5s\n"
            "  timeout    5s; 300s without a byte\n"
            "  retries    2, on 5xx, connect-failure; 250ms for each try\n");
}

TEST_F(RouteTest, TheListenerIsFoundByPortServiceOrName) {
  EXPECT_THAT(answer("url=http://localhost:9191/"), HasSubstr("listener   outbound/api on"));
  EXPECT_THAT(answer("url=http://api/"), HasSubstr("listener   outbound/api on"));
  EXPECT_THAT(answer("url=api.virtual.consul/"), HasSubstr("listener   outbound/api on"));
  EXPECT_THAT(answer("url=http://other/&listener=outbound/api"), HasSubstr("listener   outbound/api on"));
  EXPECT_EQ(get("url=http://other/").status, 404);
  EXPECT_THAT(get("url=http://other/").body,
              AllOf(HasSubstr("which listener?"), HasSubstr("outbound/api (127.0.0.1:9191), outbound/db")));
  EXPECT_THAT(get("url=http://other/&listener=outbound/app").body, HasSubstr("did you mean 'outbound/api'?"));
}

TEST_F(RouteTest, WhatTheRouteItselfAnswersBlocksNothing) {
  EXPECT_THAT(answer("url=http://api//x"), AllOf(HasSubstr("answers    204\n"), Not(HasSubstr("BLOCKED"))));
  EXPECT_THAT(answer("url=http://api/gone/1"), HasSubstr("answers    301, location: http://new.example/gone/1\n"));
}

TEST_F(RouteTest, NobodyLeftToCall) {
  for (EndpointFacts& endpoint : proxy_.clusters_[0].endpoints) {
    endpoint.failed_active_hc = true;
  }
  proxy_.clusters_[0].discovery =
      DiscoveryFacts{.source = "consul", .age = Seconds(75), .failing = "it hangs", .skipped = {}};
  EXPECT_THAT(answer("url=http://api/"),
              AllOf(StartsWith("GET http://api/\n  BLOCKED    nothing would be sent\n"),
                    HasSubstr("10.0.0.1:80 fails its health check, 0 active\n"),
                    HasSubstr("             by consul, confirmed 75.0 s ago\n             failing: it hangs\n"),
                    HasSubstr("  answers    503 no healthy upstream (no_healthy_endpoint, UH)\n"
                              "  cause      The cluster has no endpoint that may be called.\n"
                              "  evidence   cluster blue, 2 endpoints; it hangs\n"
                              "  way out    See /clusters"),
                    HasSubstr("timeout    none; 300s without a byte\n"), HasSubstr("retries    none\n")));
  EXPECT_THAT(answer("url=http://api/v2&header=x-user:a"), Not(HasSubstr("BLOCKED"))) << "a tenth goes on";
  EXPECT_EQ(json_member(answer("url=http://api/&format=json"), "blocked"), "true");
}

TEST_F(RouteTest, AnOpenBreakerAnswers) {
  proxy_.clusters_[0].breaker = "open";
  EXPECT_THAT(answer("url=http://api/"), AllOf(HasSubstr("BLOCKED"), HasSubstr("(breaker_open, UO)")));
}

TEST_F(RouteTest, AConnection) {
  EXPECT_THAT(answer("url=tcp://db"), AllOf(StartsWith("a connection to 127.0.0.1:5432\n"),
                                            HasSubstr("  cluster    green\n  endpoints  10.0.0.3:80 healthy")));
  proxy_.clusters_[1].endpoints.clear();
  EXPECT_THAT(answer("url=tcp://db"),
              AllOf(HasSubstr("endpoints  none\n"), HasSubstr("answers    closes the connection")));
}

TEST_F(RouteTest, ANewerVersionThatWaitsIsTold) {
  DynamicResourceFacts routes;
  routes.name = "outbound/api";
  routes.waits_for = "cluster 'c'";
  routes.failure = DynamicResourceFacts::Failure{.reason = "no such field", .version = "7", .at = {}};
  proxy_.dynamic_.routes = {routes};
  EXPECT_THAT(
      answer("url=http://api/"),
      AllOf(HasSubstr("note       a newer version of the route configuration 'outbound/api' waits for cluster 'c'\n"),
            HasSubstr("note       version 7 of the route configuration 'outbound/api' was refused: no such field\n")));
}

TEST_F(RouteTest, Json) {
  const std::string body = answer("url=http://api/v2&header=x-user:a&format=json");
  EXPECT_EQ(json_member(body, "blocked"), "false");
  EXPECT_EQ(json_text(json_member(json_member(body, "route"), "name")), "insiders");
  EXPECT_EQ(json_member(json_member(body, "route"), "index"), "1");
  const auto shares = json_elements(json_member(body, "shares"));
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(json_member(shares[0], "percent"), "90");
  EXPECT_EQ(json_text(json_member(shares[1], "cluster")), "green");
  EXPECT_EQ(json_elements(json_member(shares[0], "endpoints")).size(), 2u);
  EXPECT_EQ(json_text(json_member(body, "timeout")), "5s");
}

TEST_F(RouteTest, QuestionsThatAreWrong) {
  EXPECT_EQ(get("").status, 200) << "the index leads here";
  EXPECT_EQ(get("method=GET").status, 400);
  EXPECT_EQ(get("url=ftp://api/").status, 400);
  EXPECT_EQ(get("url=http://api/&header=nonsense").status, 400);
  EXPECT_EQ(get("url=http://api/%0A").status, 400);
}

}  // namespace
}  // namespace remora::admin
