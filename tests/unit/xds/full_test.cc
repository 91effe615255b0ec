// Every field that the loader knows reaches the model: the seed full.yaml, which Envoy loads too (tests/api).
#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/unit/xds/load.h"

namespace remora::xds::testing {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

std::string seed(const std::string& name) {
  std::ifstream file(std::string(REMORA_SEEDS) + name);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(file) << name;
  return text.str();
}

class Full : public ::testing::Test {
 protected:
  void SetUp() override {
    snapshot_ = load(seed("full.yaml"));
    ASSERT_TRUE(snapshot_);
  }

  const model::Listener& listener() const { return *snapshot_->listeners.at(0); }
  const model::RouteConfiguration& routes() const { return *listener().http().routes; }
  const model::Route& route(std::size_t i) const { return routes().virtual_hosts.at(0).routes.at(i); }
  const model::RouteAction& action(std::size_t i) const { return std::get<model::RouteAction>(route(i).action); }
  const model::Cluster& cluster(const char* name) const { return *snapshot_->clusters.at(name); }

  Loaded snapshot_;
};

TEST_F(Full, Node) {
  EXPECT_EQ(snapshot_->node.id, "web-1");
  EXPECT_EQ(snapshot_->node.cluster, "web");
  EXPECT_EQ(snapshot_->node.zone, "eu-1");
  EXPECT_EQ(snapshot_->admin->address.to_string(), "127.0.0.1:9901");
  EXPECT_EQ(snapshot_->admin->access_log_path, "/dev/null");
  EXPECT_THAT(snapshot_->cluster_order, ElementsAre("api", "checked", "pinged", "ring", "table", "api-canary"));
}

TEST_F(Full, Listener) {
  EXPECT_EQ(listener().per_connection_buffer_limit_bytes, 65536U);
  EXPECT_EQ(listener().tcp_backlog_size, 1024U);
  EXPECT_EQ(listener().direction, model::Listener::Direction::inbound);
  EXPECT_EQ(listener().service, "checkout");
  EXPECT_TRUE(listener().bind_to_port);
}

TEST_F(Full, ConnectionManager) {
  using Manager = model::HttpConnectionManager;
  const Manager& http = listener().http();
  EXPECT_EQ(http.stat_prefix, "inbound");
  EXPECT_EQ(http.idle_timeout, 60s);
  EXPECT_EQ(http.max_connection_duration, 600s);
  EXPECT_EQ(http.max_headers_count, 50U);
  EXPECT_EQ(http.max_requests_per_connection, 1000U);
  EXPECT_EQ(http.underscores, Manager::Underscores::reject_request);
  EXPECT_TRUE(http.accept_http_10);
  EXPECT_EQ(http.default_host_for_http_10, "web.local");
  EXPECT_EQ(http.server_name, "shop");
  EXPECT_EQ(http.server_header, Manager::ServerHeader::append_if_absent);
  EXPECT_EQ(http.max_request_headers_kb, 32U);
  EXPECT_EQ(http.max_request_body_bytes, 1048576U);
  EXPECT_EQ(http.stream_idle_timeout, 30s);
  EXPECT_EQ(http.request_timeout, 20s);
  EXPECT_EQ(http.request_headers_timeout, 5s);
  EXPECT_EQ(http.drain_timeout, 2s);
  EXPECT_EQ(http.delayed_close_timeout, 500ms);
  EXPECT_TRUE(http.use_remote_address);
  EXPECT_EQ(http.xff_num_trusted_hops, 2U);
  EXPECT_TRUE(http.skip_xff_append);
  EXPECT_TRUE(http.internal_unix_sockets);
  EXPECT_EQ(http.internal_ranges.size(), 2U);
  EXPECT_EQ(http.via, "shop-proxy");
  EXPECT_FALSE(http.generate_request_id);
  EXPECT_TRUE(http.preserve_external_request_id);
  EXPECT_TRUE(http.always_set_request_id_in_response);
  EXPECT_TRUE(http.normalize_path);
  EXPECT_TRUE(http.merge_slashes);
  EXPECT_TRUE(http.strip_any_host_port);
  EXPECT_FALSE(http.strip_matching_host_port);
  EXPECT_THAT(http.upgrades, ElementsAre("websocket"));
  EXPECT_TRUE(http.suppress_envoy_headers);
  EXPECT_TRUE(http.respect_expected_rq_timeout);
  ASSERT_TRUE(http.tracing);
  EXPECT_EQ(http.tracing->client_sampling, 50);
  EXPECT_EQ(http.tracing->random_sampling, 12.5);
  EXPECT_EQ(http.tracing->overall_sampling, 75);
  EXPECT_EQ(http.tracing->begin, model::Tracing::Begin::b3_multi);
}

TEST_F(Full, AccessLogs) {
  const auto& logs = listener().http().access_logs;
  ASSERT_EQ(logs.size(), 3U);
  EXPECT_EQ(logs[0].path, "/dev/null");
  EXPECT_EQ(logs[0].min_status, 500);
  EXPECT_EQ(logs[0].min_duration, 250ms);
  EXPECT_EQ(logs[0].sample_per_million, 250'000U);
  EXPECT_TRUE(logs[0].omit_empty_values);
  EXPECT_EQ(logs[0].text.parts().size(), 6U);
  EXPECT_EQ(logs[0].text.parts().back().text, "\n");
  EXPECT_EQ(logs[1].path, "/dev/stdout");
  ASSERT_TRUE(logs[1].json);
  ASSERT_EQ(logs[1].fields.size(), 3U);
  EXPECT_EQ(logs[1].fields[0].first, "flags");
  EXPECT_EQ(logs[1].fields[1].first, "path");
  EXPECT_EQ(logs[2].path, "/dev/stderr");
  EXPECT_FALSE(logs[2].min_status);
  EXPECT_EQ(logs[2].sample_per_million, 1'000'000U);
  EXPECT_TRUE(logs[2].text.source().starts_with("[%START_TIME%] \"%REQ(:METHOD)%"));
  EXPECT_TRUE(logs[2].text.source().ends_with("\n"));
}

TEST_F(Full, RouteConfiguration) {
  EXPECT_EQ(routes().name, "local");
  EXPECT_EQ(routes().route_count, 11U);
  EXPECT_TRUE(routes().most_specific_header_mutations_wins);
  EXPECT_THAT(routes().internal_only_headers, ElementsAre("x-internal"));
  ASSERT_EQ(routes().edits.request_add.size(), 1U);
  EXPECT_EQ(routes().edits.request_add[0].action, model::HeaderAdd::Action::add_if_absent);
  EXPECT_THAT(routes().edits.request_remove, ElementsAre("x-secret"));
  EXPECT_EQ(routes().edits.response_add[0].action, model::HeaderAdd::Action::overwrite_if_exists_or_add);
  EXPECT_THAT(routes().edits.response_remove, ElementsAre("x-powered-by"));
  const model::VirtualHost& host = routes().virtual_hosts[0];
  EXPECT_THAT(host.domains, ElementsAre("web.local", "*.web.local", "web.*"));
  EXPECT_TRUE(host.include_request_attempt_count);
  EXPECT_TRUE(host.include_attempt_count_in_response);
}

TEST_F(Full, Match) {
  const model::RouteMatch& match = route(0).match;
  EXPECT_EQ(match.path.text, "/api/");
  EXPECT_FALSE(match.path.case_sensitive);
  EXPECT_EQ(match.runtime_fraction_per_million, 500'000U);
  using Kind = model::HeaderMatch::Kind;
  ASSERT_EQ(match.headers.size(), 7U);
  EXPECT_TRUE(match.headers[0].matches("GET"));
  EXPECT_EQ(match.headers[1].kind, Kind::absent);
  EXPECT_EQ(match.headers[2].kind, Kind::range);
  EXPECT_TRUE(match.headers[3].invert);
  EXPECT_FALSE(match.headers[3].matches("acme-1"));
  EXPECT_TRUE(match.headers[4].matches("beef"));
  EXPECT_TRUE(match.headers[5].treat_missing_as_empty);
  EXPECT_TRUE(match.headers[6].matches("a mid b"));
  ASSERT_EQ(match.query_parameters.size(), 2U);
  EXPECT_TRUE(match.query_parameters[0].string->matches("12"));
  EXPECT_FALSE(match.query_parameters[1].string);
  EXPECT_TRUE(match.query_parameters[1].present);
}

TEST_F(Full, Action) {
  EXPECT_EQ(route(0).name, "fetch");
  EXPECT_EQ(route(0).label, "fetch");
  EXPECT_EQ(route(0).per_request_buffer_limit_bytes, 8192U);
  EXPECT_TRUE(route(0).edits.response_add.at(0).keep_empty_value);
  const model::RouteAction& to = action(0);
  EXPECT_EQ(to.total_weight, 100U);
  ASSERT_EQ(to.clusters.size(), 2U);
  EXPECT_EQ(to.clusters[0].weight, 90U);
  EXPECT_EQ(to.clusters[0].host_rewrite_literal, "api.local");
  EXPECT_EQ(to.clusters[0].edits.request_add.at(0).name, "x-split");
  EXPECT_EQ(to.prefix_rewrite, "/v2/");
  EXPECT_EQ(to.host_rewrite_literal, "inner.local");
  EXPECT_TRUE(to.append_x_forwarded_host);
  EXPECT_EQ(to.cluster_not_found_code, 404);
  EXPECT_EQ(to.timeout, 2500ms);
  EXPECT_EQ(to.idle_timeout, 0ms);
  EXPECT_THAT(to.upgrades, ElementsAre(std::pair<std::string, bool>("websocket", false)));
}

TEST_F(Full, Retry) {
  const model::RetryPolicy& retry = *action(0).retry;
  EXPECT_EQ(retry.conditions, model::retry_on::k5xx | model::retry_on::kGatewayError | model::retry_on::kReset |
                                  model::retry_on::kResetBeforeRequest | model::retry_on::kRetriable4xx |
                                  model::retry_on::kRetriableStatusCodes | model::retry_on::kRetriableHeaders |
                                  model::retry_on::kEnvoyRatelimited);
  EXPECT_EQ(retry.num_retries, 4U);
  EXPECT_EQ(retry.per_try_timeout, 500ms);
  EXPECT_EQ(retry.per_try_idle_timeout, 250ms);
  EXPECT_EQ(retry.base_interval, 10ms);
  EXPECT_EQ(retry.max_interval, 200ms);
  EXPECT_THAT(retry.retriable_status_codes, ElementsAre(418, 503));
  EXPECT_EQ(retry.retriable_headers.size(), 1U);
  EXPECT_EQ(retry.retriable_request_headers.size(), 1U);
  EXPECT_TRUE(retry.previous_hosts);
  EXPECT_EQ(retry.host_selection_retry_max_attempts, 5U);
  EXPECT_TRUE(retry.retry_non_idempotent);
  // A route without a policy has its virtual host's.
  ASSERT_TRUE(action(3).retry);
  EXPECT_EQ(action(3).retry->conditions, model::retry_on::kConnectFailure | model::retry_on::kRefusedStream);
  EXPECT_EQ(action(3).retry->num_retries, 2U);
  EXPECT_FALSE(action(3).retry->retry_non_idempotent);
  EXPECT_EQ(route(3).per_request_buffer_limit_bytes, 4096U);
  EXPECT_FALSE(std::get<model::RouteAction>(routes().virtual_hosts[1].routes[0].action).retry);
}

TEST_F(Full, OtherRoutes) {
  EXPECT_EQ(route(1).label, "web/health");
  EXPECT_EQ(std::get<model::DirectResponse>(route(1).action).body, "ok\n");
  EXPECT_EQ(std::get<model::DirectResponse>(route(2).action).body, "hi");
  EXPECT_TRUE(route(3).match.path.regex->full_match("/users/12/x"));
  EXPECT_EQ(action(3).regex_rewrite->replace_all("/users/12/x", action(3).regex_rewrite_substitution), "/u/12/x");
  EXPECT_EQ(action(3).host_rewrite_header, "x-host");
  const auto& redirect = std::get<model::RedirectAction>(route(4).action);
  EXPECT_EQ(route(4).match.path.kind, model::PathMatch::Kind::path_separated_prefix);
  EXPECT_TRUE(redirect.https_redirect);
  EXPECT_EQ(redirect.host_redirect, "new.local");
  EXPECT_EQ(redirect.port_redirect, 8443U);
  EXPECT_EQ(redirect.prefix_rewrite, "/new");
  EXPECT_EQ(redirect.response_code, 308);
  EXPECT_TRUE(redirect.strip_query);
  EXPECT_EQ(std::get<model::RedirectAction>(route(5).action).response_code, 301);
  EXPECT_EQ(std::get<model::RedirectAction>(route(5).action).path_redirect, "/there");
  EXPECT_EQ(std::get<model::RedirectAction>(route(6).action).response_code, 302);
  EXPECT_EQ(route(7).match.path.kind, model::PathMatch::Kind::connect);
  EXPECT_EQ(route(7).label, "web/CONNECT");
  EXPECT_EQ(action(8).cluster_header, "x-cluster");
  EXPECT_TRUE(action(8).auto_host_rewrite);
  EXPECT_EQ(routes().virtual_hosts[1].routes[0].index, 10U);
}

TEST_F(Full, Cluster) {
  const model::Cluster& api = cluster("api");
  EXPECT_EQ(api.alt_stat_name, "api_service");
  EXPECT_EQ(api.connect_timeout, 250ms);
  EXPECT_EQ(api.per_connection_buffer_limit_bytes, 32768U);
  EXPECT_EQ(api.lb_policy, model::LbPolicy::least_request);
  EXPECT_EQ(api.least_request_choice_count, 3U);
  EXPECT_EQ(api.panic_threshold_percent, 30U);
  EXPECT_EQ(api.overprovisioning_factor, 150U);
  EXPECT_EQ(api.source_address->to_string(), "127.0.0.1:0");
  ASSERT_TRUE(api.tcp_keepalive);
  EXPECT_EQ(api.tcp_keepalive->probes, 3U);
  EXPECT_EQ(api.tcp_keepalive->time_s, 60U);
  EXPECT_EQ(api.tcp_keepalive->interval_s, 10U);
  EXPECT_EQ(api.idle_timeout, 30s);
  EXPECT_EQ(api.max_connection_duration, 300s);
  EXPECT_EQ(api.max_requests_per_connection, 500U);
  EXPECT_EQ(api.max_response_headers_count, 40U);
  EXPECT_EQ(api.max_response_headers_kb, 16U);
  EXPECT_EQ(cluster("api-canary").lb_policy, model::LbPolicy::random);
  EXPECT_EQ(cluster("ring").lb_policy, model::LbPolicy::ring_hash);
  EXPECT_EQ(cluster("ring").ring_hash, (model::RingHash{2048, 4096, model::RingHash::Function::murmur_hash_2}));
  EXPECT_EQ(cluster("table").lb_policy, model::LbPolicy::maglev);
  EXPECT_EQ(cluster("table").maglev_table_size, 251U);
}

TEST_F(Full, Names) {
  using Dns = model::DnsDiscovery;
  const auto read = read_bootstrap(seed("full.yaml"), "full.yaml", {});
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->dynamic());
  const auto find = [&](const char* name) {
    return std::get<Dns>(std::ranges::find(read->clusters, name, [](const auto& each) {
                           return each.cluster->name;
                         })->cluster->discovery);
  };
  const Dns dns = find("by-name");
  EXPECT_FALSE(dns.logical);
  EXPECT_EQ(dns.family, Dns::Family::v4_preferred);
  EXPECT_EQ(dns.refresh_rate, 3s);
  EXPECT_EQ(dns.jitter, 500ms);
  EXPECT_EQ(dns.failure_refresh_base, 1s);
  EXPECT_EQ(dns.failure_refresh_max, 8s);
  EXPECT_TRUE(dns.respect_ttl);
  EXPECT_EQ(dns.servers.at(0).to_string(), "127.0.0.53:53");
  EXPECT_TRUE(dns.tcp);
  EXPECT_FALSE(dns.search);
  EXPECT_EQ(dns.query_timeout, 2s);
  EXPECT_EQ(dns.query_tries, 3U);
  ASSERT_EQ(dns.names.size(), 1U);
  EXPECT_EQ(dns.names[0].host, "api.test");
  EXPECT_EQ(dns.names[0].port, 9004);
  EXPECT_EQ(dns.names[0].hostname, "api.example");
  EXPECT_EQ(dns.names[0].weight, 2U);
  EXPECT_EQ(dns.names[0].health, model::Endpoint::Health::degraded);
  EXPECT_EQ(dns.names[0].health_check->port, 9005);
  EXPECT_TRUE(find("by-one-name").logical);
  EXPECT_EQ(find("by-one-name").family, Dns::Family::all);
}

TEST_F(Full, Endpoints) {
  using Health = model::Endpoint::Health;
  const auto& endpoints = cluster("api").endpoints;
  ASSERT_EQ(endpoints.size(), 3U);
  EXPECT_EQ(endpoints[0].address.to_string(), "127.0.0.1:9001");
  EXPECT_EQ(endpoints[0].hostname, "one");
  EXPECT_EQ(endpoints[0].weight, 3U);
  EXPECT_EQ(endpoints[0].health, Health::healthy);
  EXPECT_EQ(endpoints[1].address.to_string(), "[::1]:9002");
  EXPECT_EQ(endpoints[1].health, Health::draining);
  EXPECT_EQ(endpoints[2].address.to_string(), "/tmp/api.sock");
  EXPECT_EQ(endpoints[2].priority, 1U);
}

TEST_F(Full, Resilience) {
  const model::Cluster& api = cluster("api");
  EXPECT_EQ(api.thresholds.max_connections, 10U);
  EXPECT_EQ(api.thresholds.max_pending_requests, 20U);
  EXPECT_EQ(api.thresholds.max_requests, 30U);
  EXPECT_EQ(api.thresholds.max_retries, 5U);
  EXPECT_FALSE(api.thresholds.use_max_retries) << "the budget is in the file";
  EXPECT_EQ(api.thresholds.retry_budget_percent, 35.5);
  EXPECT_EQ(api.thresholds.min_retry_concurrency, 7U);
  const model::OutlierDetection& outlier = api.outlier;
  EXPECT_TRUE(outlier.enabled);
  EXPECT_EQ(outlier.consecutive_5xx, 3U);
  EXPECT_EQ(outlier.enforcing_consecutive_5xx, 90U);
  EXPECT_EQ(outlier.consecutive_gateway_failure, 4U);
  EXPECT_EQ(outlier.enforcing_consecutive_gateway_failure, 80U);
  EXPECT_EQ(outlier.consecutive_local_origin_failure, 2U);
  EXPECT_EQ(outlier.enforcing_consecutive_local_origin_failure, 70U);
  EXPECT_TRUE(outlier.split_external_local_origin_errors);
  EXPECT_EQ(outlier.interval, 1s);
  EXPECT_EQ(outlier.base_ejection_time, 2s);
  EXPECT_EQ(outlier.max_ejection_time, 20s);
  EXPECT_EQ(outlier.max_ejection_time_jitter, 500ms);
  EXPECT_EQ(outlier.max_ejection_percent, 60U);
  EXPECT_EQ(outlier.success_rate_minimum_hosts, 6U);
  EXPECT_EQ(outlier.success_rate_request_volume, 101U);
  EXPECT_EQ(outlier.success_rate_stdev_factor, 1800U);
  EXPECT_EQ(outlier.enforcing_success_rate, 40U);
  EXPECT_EQ(outlier.enforcing_local_origin_success_rate, 30U);
  EXPECT_EQ(outlier.failure_percentage_minimum_hosts, 7U);
  EXPECT_EQ(outlier.failure_percentage_request_volume, 51U);
  EXPECT_EQ(outlier.failure_percentage_threshold, 80U);
  EXPECT_EQ(outlier.enforcing_failure_percentage, 20U);
  EXPECT_EQ(outlier.enforcing_failure_percentage_local_origin, 10U);
  EXPECT_TRUE(outlier.always_eject_one_host);
  EXPECT_EQ(api.breaker.failure_threshold, 8U);
  EXPECT_EQ(api.breaker.recovery_time, 2500ms);
  EXPECT_EQ(api.breaker.probes, 2U);
}

TEST_F(Full, PrintsWhatItReadSoThatItReadsAgain) {
  const Loaded again = load(*snapshot_->bootstrap_json);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again->bootstrap_json, *snapshot_->bootstrap_json);
  EXPECT_THAT(*snapshot_->bootstrap_json, ::testing::HasSubstr("\"stat_prefix\":\"inbound\""));
}

TEST(Seeds, AnchorsShareWhatTheyName) {
  const Loaded snapshot = load(seed("anchors.yaml"));
  EXPECT_EQ(snapshot->clusters.at("a")->thresholds.max_requests, 5U);
  EXPECT_EQ(snapshot->clusters.at("b")->thresholds.max_requests, 5U);
}

}  // namespace
}  // namespace remora::xds::testing
