#include "proxy/admin/pages.h"

#include <gmock/gmock.h>

#include "core/admin/json.h"

namespace remora::admin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class FakeHost final : public Facts, public Actions {
 public:
  ServerFacts server() const override { return server_; }
  std::vector<ClusterFacts> clusters() const override { return clusters_; }
  std::vector<ListenerFacts> listeners() const override {
    return {{"l1", Address::parse("127.0.0.1", 23902).value()}, {"l2", Address::parse("::1", 80).value()}};
  }
  std::shared_ptr<const model::Snapshot> snapshot() const override { return snapshot_; }
  WallTime snapshot_loaded() const override { return WallTime(Milliseconds(1795555185238)); }
  std::string metrics() const override { return "remora_workers 1\n"; }
  std::vector<std::pair<std::string, std::string>> loggers() const override {
    return {{"admin", "info"}, {"main", "info"}};
  }

  void quit() override { said.emplace_back("quit"); }
  void drain_listeners(const DrainListeners& how) override {
    said.push_back(std::string("drain") + (how.graceful ? " graceful" : "") + (how.never_stop ? " never_stop" : "") +
                   (how.inbound_only ? " inbound" : ""));
  }
  void set_health_check_failed(bool failed) override { said.emplace_back(failed ? "fail" : "ok"); }
  void set_log_level(std::string_view logger, std::string_view level) override {
    said.push_back(std::string(logger) + "=" + std::string(level));
  }
  Result<void> reopen_logs() override { return remora::fail("no such folder"); }

  ServerFacts server_;
  std::vector<ClusterFacts> clusters_;
  std::shared_ptr<model::Snapshot> snapshot_;
  std::vector<std::string> said;
};

class PagesTest : public ::testing::Test {
 protected:
  PagesTest() {
    host_.server_.state = "LIVE";
    host_.server_.ready = true;
    host_.server_.uptime = Seconds(7);
    host_.server_.version = "r/0.1.0/Clean/RELEASE/OpenSSL";
    host_.server_.hot_restart_version = "disabled";
    host_.server_.command_line_options = R"({"concurrency": 2})";
    host_.server_.node = {"n<1>", "c1", "z1"};
    ClusterFacts app;
    app.name = app.observability_name = "app";
    app.outlier_detection = true;
    app.endpoints.resize(2);
    app.endpoints[0].address = Address::parse("127.0.0.1", 23903).value();
    app.endpoints[0].hostname = "h1";
    app.endpoints[0].cx_total = 3;
    app.endpoints[0].rq_total = 12;
    app.endpoints[1].address = Address::parse("::1", 23904).value();
    ClusterFacts other;
    other.name = "other";
    other.observability_name = "alt";
    other.breaker = "open";
    host_.clusters_ = {app, other};
  }

  AdminResponse get(std::string_view target, std::string_view method = "GET") {
    return pages_.answer(AdminRequest::parse(method, target));
  }

  FakeHost host_;
  AdminPages pages_{host_, host_};
};

TEST_F(PagesTest, ReadySaysTheState) {
  EXPECT_EQ(get("/ready").body, "LIVE\n");
  EXPECT_EQ(get("/ready").status, 200);
  host_.server_.state = "DRAINING";
  host_.server_.ready = false;
  EXPECT_EQ(get("/ready").body, "DRAINING\n");
  EXPECT_EQ(get("/ready").status, 503);
}

TEST_F(PagesTest, ServerInfo) {
  const auto response = get("/server_info");
  EXPECT_EQ(response.type, "application/json");
  EXPECT_EQ(json_text(json_member(response.body, "state")), "LIVE");
  EXPECT_EQ(json_text(json_member(response.body, "uptime_current_epoch")), "7s");
  EXPECT_EQ(json_member(json_member(response.body, "command_line_options"), "concurrency"), "2");
  EXPECT_EQ(json_text(json_member(json_member(json_member(response.body, "node"), "locality"), "zone")), "z1");
}

TEST_F(PagesTest, ClustersAsText) {
  const auto response = get("/clusters");
  EXPECT_EQ(response.type, "text/plain; charset=UTF-8");
  EXPECT_THAT(response.body,
              AllOf(HasSubstr("app::observability_name::app\napp::outlier::success_rate_average::-1\n"),
                    HasSubstr("app::default_priority::max_connections::1024\n"),
                    HasSubstr("app::added_via_api::false\napp::127.0.0.1:23903::cx_active::0\n"),
                    HasSubstr("app::127.0.0.1:23903::rq_total::12\napp::127.0.0.1:23903::hostname::h1\n"),
                    HasSubstr("app::[::1]:23904::health_flags::healthy\n"),
                    HasSubstr("other::observability_name::alt\nother::default_priority"),
                    HasSubstr("other::breaker::state::open\n")));
}

TEST_F(PagesTest, HealthFlags) {
  auto& endpoints = host_.clusters_[0].endpoints;
  endpoints[0].failed_outlier_check = true;
  endpoints[0].configured = model::Endpoint::Health::unhealthy;
  endpoints[1].configured = model::Endpoint::Health::degraded;
  EXPECT_THAT(get("/clusters").body, AllOf(HasSubstr("::health_flags::/failed_outlier_check/failed_eds_health\n"),
                                           HasSubstr("::health_flags::/degraded_eds_health\n")));
  const std::string json = get("/clusters?format=json").body;
  EXPECT_THAT(json, HasSubstr("\"failed_outlier_check\": true,\n      \"eds_health_status\": \"UNHEALTHY\""));
}

TEST_F(PagesTest, ClustersAsJson) {
  const auto response = get("/clusters?format=json");
  EXPECT_EQ(response.type, "application/json");
  const auto clusters = json_elements(json_member(response.body, "cluster_statuses"));
  ASSERT_EQ(clusters.size(), 2u);
  const auto hosts = json_elements(json_member(clusters[0], "host_statuses"));
  ASSERT_EQ(hosts.size(), 2u);
  const auto stats = json_elements(json_member(hosts[0], "stats"));
  ASSERT_EQ(stats.size(), 9u);
  EXPECT_EQ(json_member(stats[1], "value"), "\"3\"");
  EXPECT_EQ(json_member(stats[0], "value"), "") << "zero is left out";
  EXPECT_EQ(json_member(hosts[1], "hostname"), "");
  EXPECT_EQ(json_elements(json_member(json_member(clusters[0], "circuit_breakers"), "thresholds")).size(), 2u);
}

TEST_F(PagesTest, ClustersAsJsonSayTheBreakersState) {
  const auto response = get("/clusters?format=json");
  const auto clusters = json_elements(json_member(response.body, "cluster_statuses"));
  ASSERT_EQ(clusters.size(), 2u);
  EXPECT_EQ(json_member(clusters[0], "remora"), "") << "it has none: the message is exactly Envoy's";
  EXPECT_EQ(json_text(json_member(json_member(clusters[1], "remora"), "breaker")), "open");
}

TEST_F(PagesTest, ClustersFiltered) {
  EXPECT_THAT(get("/clusters?filter=th").body, AllOf(HasSubstr("other::"), Not(HasSubstr("app::"))));
  EXPECT_EQ(get("/clusters?filter=zz").body, "");
  EXPECT_EQ(get("/clusters?filter=(").status, 400);
}

TEST_F(PagesTest, Listeners) {
  EXPECT_EQ(get("/listeners").body, "l1::127.0.0.1:23902\nl2::[::1]:80\n");
  const auto response = get("/listeners?format=json");
  EXPECT_EQ(json_elements(json_member(response.body, "listener_statuses")).size(), 2u);
  EXPECT_THAT(response.body, HasSubstr("\"address\": \"::1\",\n     \"port_value\": 80"));
}

TEST_F(PagesTest, ConfigDump) {
  EXPECT_EQ(get("/config_dump").status, 503);
  host_.snapshot_ = std::make_shared<model::Snapshot>();
  host_.snapshot_->bootstrap_json = std::make_shared<const std::string>(
      R"({"node":{"id":"n1"},"static_resources":{"listeners":[{"name":"l1","filter_chains":[{"filters":[{"name":"h",)"
      R"("typed_config":{"@type":"x","route_config":{"name":"local","virtual_hosts":[]}}}]}]}],)"
      R"("clusters":[{"name":"app"},{"name":"b"}]}})");
  const auto response = get("/config_dump");
  const auto configs = json_elements(json_member(response.body, "configs"));
  ASSERT_EQ(configs.size(), 4u);
  EXPECT_EQ(json_text(json_member(configs[0], "@type")), "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump");
  EXPECT_EQ(json_text(json_member(json_member(json_member(configs[0], "bootstrap"), "node"), "id")), "n1");
  const auto clusters = json_elements(json_member(configs[1], "static_clusters"));
  ASSERT_EQ(clusters.size(), 2u);
  EXPECT_EQ(json_text(json_member(clusters[0], "last_updated")), "2026-11-24T21:19:45.238Z");
  EXPECT_EQ(json_text(json_member(json_member(clusters[1], "cluster"), "@type")),
            "type.googleapis.com/envoy.config.cluster.v3.Cluster");
  const auto routes = json_elements(json_member(configs[3], "static_route_configs"));
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(json_text(json_member(json_member(routes[0], "route_config"), "name")), "local");

  const auto count = [&](std::string_view target) {
    return json_elements(json_member(get(target).body, "configs")).size();
  };
  EXPECT_EQ(count("/config_dump?include_eds"), 5u);
  EXPECT_EQ(count("/config_dump?resource=static_clusters"), 2u);
  EXPECT_EQ(count("/config_dump?resource=static_clusters&name_regex=b"), 1u);
  EXPECT_EQ(get("/config_dump?resource=bogus").status, 404);
  EXPECT_EQ(get("/config_dump?resource=bootstrap").status, 400);
  EXPECT_EQ(get("/config_dump?resource=dynamic_active_clusters").body, "{}\n");
}

// Each as Envoy 1.40 answers it.
TEST_F(PagesTest, ConfigDumpMasked) {
  host_.snapshot_ = std::make_shared<model::Snapshot>();
  host_.snapshot_->bootstrap_json = std::make_shared<const std::string>(
      R"({"admin":{"address":{"pipe":{"path":"x"}}},"node":{"id":"n1"},"static_resources":{"clusters":[{"name":"app",)"
      R"("type":"STATIC","load_assignment":{"cluster_name":"app","endpoints":[{"priority":1}]}}]}})");
  const auto configs = [&](std::string_view query) {
    const auto response = get(std::string("/config_dump?") + std::string(query));
    EXPECT_EQ(response.status, 200) << response.body;
    std::string flat;
    for (const char c : std::string(json_member(response.body, "configs"))) {
      flat += c == ' ' || c == '\n' ? "" : std::string(1, c);
    }
    return flat;
  };
  const std::string prefix = R"([{"@type":"type.googleapis.com/envoy.admin.v3.)";
  EXPECT_EQ(configs("mask=bootstrap.node"), prefix + R"(BootstrapConfigDump","bootstrap":{"node":{"id":"n1"}}}])");
  const std::string cluster = R"(ClustersConfigDump.StaticCluster","cluster":{"@type":)"
                              R"("type.googleapis.com/envoy.config.cluster.v3.Cluster",)";
  EXPECT_EQ(configs("resource=static_clusters&mask=cluster.name"), prefix + cluster + R"("name":"app"}}])");
  EXPECT_EQ(configs("resource=static_clusters&mask=cluster.load_assignment.endpoints,cluster.type"),
            prefix + cluster + R"("type":"STATIC","load_assignment":{"endpoints":[{"priority":1}]}}}])");
  EXPECT_THAT(configs("mask=static_clusters"), HasSubstr(R"("static_clusters":[{"cluster":)"));
  for (const char* bad : {"mask=nope", "mask=static_clusters.cluster.name", "resource=static_clusters&mask=foo",
                          "resource=static_clusters&mask=cluster.load_assignment.endpoints.priority"}) {
    EXPECT_EQ(get(std::string("/config_dump?") + bad).status, 400) << bad;
  }
}

TEST_F(PagesTest, LoggingShowsAndChangesLevels) {
  EXPECT_EQ(get("/logging", "POST").body, "active loggers:\n  admin: info\n  main: info\n\n");
  EXPECT_EQ(get("/logging").status, 200) << "reading changes nothing";
  EXPECT_EQ(get("/logging?level=debug").status, 405);
  EXPECT_EQ(get("/logging?level=debug", "POST").status, 200);
  EXPECT_EQ(get("/logging?admin=trace", "POST").status, 200);
  EXPECT_EQ(get("/logging?paths=admin:warn,main:off", "POST").status, 200);
  EXPECT_THAT(host_.said, ElementsAre("=debug", "admin=trace", "admin=warning", "main=off"));
}

TEST_F(PagesTest, LoggingChangesAllOrNothing) {
  EXPECT_THAT(get("/logging?paths=admin:debug,mian:info", "POST").body,
              AllOf(HasSubstr("error: unknown logger name"), HasSubstr("'main'?"), HasSubstr("usage: /logging?")));
  EXPECT_THAT(get("/logging?level=loud", "POST").body, HasSubstr("error: unknown logger level"));
  EXPECT_EQ(get("/logging?level=info&x=1", "POST").status, 400);
  EXPECT_EQ(get("/logging?paths=admin", "POST").status, 400);
  EXPECT_TRUE(host_.said.empty());
}

TEST_F(PagesTest, WhatMutatesWantsPost) {
  for (const auto& page : AdminPages::pages()) {
    if (page.mutates && page.path != "/logging") {
      for (const char* method : {"GET", "HEAD", "PUT"}) {
        const auto response = get(page.path, method);
        EXPECT_EQ(response.status, 405) << page.path;
        EXPECT_EQ(response.body, std::string("Method ") + method + " not allowed, POST required.");
      }
    }
  }
  EXPECT_TRUE(host_.said.empty());
}

TEST_F(PagesTest, Actions) {
  EXPECT_EQ(get("/drain_listeners", "POST").body, "OK\n");
  (void)get("/drain_listeners?graceful", "POST");
  (void)get("/drain_listeners?graceful&skip_exit", "POST");
  (void)get("/healthcheck/fail", "POST");
  (void)get("/healthcheck/ok", "POST");
  const auto quit = get("/quitquitquit", "POST");
  EXPECT_THAT(host_.said, ElementsAre("drain", "drain graceful", "drain graceful never_stop", "fail", "ok"));
  quit.after();
  EXPECT_EQ(host_.said.back(), "quit");
  (void)get("/drain_listeners?inboundonly", "POST");
  EXPECT_EQ(host_.said.back(), "drain inbound");
  EXPECT_EQ(get("/reopen_logs", "POST").status, 500);
  EXPECT_EQ(get("/reset_counters", "POST").status, 501);
}

TEST_F(PagesTest, AnUnknownPathListsWhatThereIs) {
  const auto response = get("/redy");
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.body, AllOf(HasSubstr("invalid path (did you mean '/ready'?). admin commands are:\n"),
                                   HasSubstr("  /quitquitquit (POST): "), HasSubstr("One of (text, json)")));
  EXPECT_THAT(get("/stats").body, HasSubstr("metrics are at /metrics"));
  EXPECT_EQ(get("/stats?format=prometheus").body, "remora_workers 1\n");
  EXPECT_EQ(get("/stats/prometheus").type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(PagesTest, TheIndexIsEscapedAndNamesEveryPage) {
  const std::string index = get("/").body;
  EXPECT_THAT(index, AllOf(HasSubstr("n&lt;1&gt;"), Not(HasSubstr("<1>")), HasSubstr("href=\"server_info\""),
                           HasSubstr("action=\"quitquitquit\""), Not(HasSubstr("http://"))));
}

TEST_F(PagesTest, OtherReads) {
  EXPECT_EQ(get("/hot_restart_version").body, "disabled");
  EXPECT_EQ(get("/certs").body, "{\n \"certificates\": []\n}\n");
  EXPECT_NE(json_member(get("/memory").body, "allocated"), "");
  EXPECT_TRUE(get("/help").body.starts_with("admin commands are:\n  /: Admin home page\n"));
}

TEST(AdminRequest, IsDecoded) {
  const auto request = AdminRequest::parse("GET", "/clusters/?filter=a%2Bb+c&format=json&flag&&x=%zz");
  EXPECT_EQ(request.path, "/clusters");
  EXPECT_EQ(request.find("filter"), "a+b c");
  EXPECT_TRUE(request.wants_json());
  EXPECT_EQ(request.find("flag"), "");
  EXPECT_EQ(request.find("x"), "%zz");
  EXPECT_FALSE(request.find("nothing"));
}

}  // namespace
}  // namespace remora::admin
