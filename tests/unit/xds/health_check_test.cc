// Active health checks of a cluster: every field, its default, and what is wrong with it.
#include "tests/unit/xds/load.h"

namespace remora::xds::testing {
namespace {

using namespace std::chrono_literals;
using model::HealthCheck;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kLeast =
    "timeout: 1s, interval: 5s, unhealthy_threshold: 2, healthy_threshold: 3, http_health_check: {path: /health}";

std::shared_ptr<const HealthCheck> read(const std::string& fields) {
  Parts parts;
  parts.cluster = "health_checks: [{" + fields + "}]";
  const Loaded snapshot = load(parts);
  return snapshot ? snapshot->clusters.at("a")->health_check : nullptr;
}

std::vector<std::string> wrong(const std::string& fields) {
  Parts parts;
  parts.cluster = "health_checks: [{" + fields + "}]";
  return errors(parts);
}

const std::string kCheck = kCluster + ".health_checks[0]";

TEST(HealthChecks, DefaultsAreEnvoys) {
  const auto check = read(kLeast);
  ASSERT_TRUE(check);
  EXPECT_EQ(check->kind, HealthCheck::Kind::http);
  EXPECT_EQ(check->timeout, 1s);
  EXPECT_EQ(check->interval, 5s);
  EXPECT_EQ(check->unhealthy_threshold, 2U);
  EXPECT_EQ(check->healthy_threshold, 3U);
  EXPECT_EQ(check->no_traffic_interval, 60s);
  EXPECT_EQ(check->unhealthy_interval, 5s);
  EXPECT_EQ(check->unhealthy_edge_interval, 5s);
  EXPECT_EQ(check->healthy_edge_interval, 5s);
  EXPECT_EQ(check->initial_jitter, 0s);
  EXPECT_EQ(check->interval_jitter, 0s);
  EXPECT_TRUE(check->reuse_connection);
  EXPECT_EQ(check->method, "GET");
  EXPECT_EQ(check->host, "");
  EXPECT_THAT(check->expected_statuses, ElementsAre(HealthCheck::Statuses{200, 201}));
  EXPECT_EQ(load(Parts{})->clusters.at("a")->health_check, nullptr);
}

TEST(HealthChecks, EveryHttpFieldIsRead) {
  const auto check = read(
      "timeout: 1s, interval: 5s, initial_jitter: 2s, interval_jitter: 3s, interval_jitter_percent: 10, "
      "unhealthy_threshold: 2, healthy_threshold: 3, reuse_connection: false, no_traffic_interval: 7s, "
      "unhealthy_interval: 8s, unhealthy_edge_interval: 9s, healthy_edge_interval: 10s, http_health_check: {path: /h, "
      "host: api.local, method: HEAD, expected_statuses: [{start: 200, end: 300}, {start: 404, end: 405}], "
      "request_headers_to_add: [{header: {key: X-Probe, value: '1'}}]}");
  ASSERT_TRUE(check);
  EXPECT_EQ(check->initial_jitter, 2s);
  EXPECT_EQ(check->interval_jitter, 3s);
  EXPECT_EQ(check->interval_jitter_percent, 10U);
  EXPECT_FALSE(check->reuse_connection);
  EXPECT_EQ(check->no_traffic_interval, 7s);
  EXPECT_EQ(check->unhealthy_interval, 8s);
  EXPECT_EQ(check->unhealthy_edge_interval, 9s);
  EXPECT_EQ(check->healthy_edge_interval, 10s);
  EXPECT_EQ(check->path, "/h");
  EXPECT_EQ(check->host, "api.local");
  EXPECT_EQ(check->method, "HEAD");
  EXPECT_THAT(check->expected_statuses, ElementsAre(HealthCheck::Statuses{200, 300}, HealthCheck::Statuses{404, 405}));
  EXPECT_THAT(check->headers, ElementsAre(std::pair<std::string, std::string>("x-probe", "1")));
}

TEST(HealthChecks, TcpPayloadsAreHexOrBase64) {
  const auto check = read(
      "timeout: 1s, interval: 5s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {send: {text: "
      "'50494e470A'}, receive: [{binary: UE9ORw==}]}");
  ASSERT_TRUE(check);
  EXPECT_EQ(check->kind, HealthCheck::Kind::tcp);
  EXPECT_EQ(check->send, "PING\n");
  EXPECT_THAT(check->receive, ElementsAre("PONG"));
}

TEST(HealthChecks, AnEndpointMaySayHowItIsChecked) {
  const Loaded snapshot = load(std::string(R"(static_resources: {clusters: [{name: a, load_assignment: {cluster_name: a,
      endpoints: [{lb_endpoints: [
        {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}},
                    health_check_config: {port_value: 8081, hostname: x}}},
        {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 2}},
                    health_check_config: {disable_active_health_check: true}}},
        {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 3}}}}]}]}}]})"));
  ASSERT_TRUE(snapshot);
  const auto& endpoints = snapshot->clusters.at("a")->endpoints;
  ASSERT_TRUE(endpoints[0].health_check);
  EXPECT_EQ(endpoints[0].health_check->port, 8081);
  EXPECT_EQ(endpoints[0].health_check->hostname, "x");
  EXPECT_TRUE(endpoints[1].health_check->disabled);
  EXPECT_EQ(endpoints[2].health_check, nullptr);
}

TEST(HealthChecks, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_THAT(wrong("http_health_check: {path: /}"),
              ElementsAre(kCheck + ".timeout: is required", kCheck + ".interval: is required",
                          kCheck + ".unhealthy_threshold: is required", kCheck + ".healthy_threshold: is required"));
  const std::string times = "timeout: 1s, interval: 5s, unhealthy_threshold: 2, healthy_threshold: 3";
  EXPECT_THAT(wrong(times), ElementsAre(kCheck + ": one of http_health_check, tcp_health_check is required"));
  EXPECT_THAT(wrong(times + ", http_health_check: {}"), ElementsAre(HasSubstr(kCheck + ".http_health_check.path: ")));
  EXPECT_THAT(wrong(times + ", http_health_check: {path: /, expected_statuses: [{start: 300, end: 200}]}"),
              ElementsAre(HasSubstr("[300, 200) is no range of statuses")));
  EXPECT_THAT(wrong(times + ", http_health_check: {path: /, method: CONNECT}"),
              ElementsAre(HasSubstr("CONNECT cannot check anything")));
  EXPECT_THAT(wrong(times + ", tcp_health_check: {send: {text: 5049x}}"),
              ElementsAre(HasSubstr("'5049x' is no hexadecimal text")));
  EXPECT_THAT(wrong(times + ", grpc_health_check: {}"),
              ::testing::Contains(HasSubstr("is Envoy's, but not supported")));
  EXPECT_THAT(wrong(std::string(kLeast) + "}, {" + kLeast), ElementsAre(HasSubstr("one health check is supported")));
}

}  // namespace
}  // namespace remora::xds::testing
