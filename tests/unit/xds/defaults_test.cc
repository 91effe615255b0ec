// What holds when the file says nothing: Envoy's documented defaults, save where docs/xds_subset.md says otherwise.
#include "tests/unit/xds/load.h"

namespace remora::xds::testing {
namespace {

using ::testing::IsEmpty;
using namespace std::chrono_literals;

TEST(Defaults, Listener) {
  const Loaded snapshot = load(Parts{});
  const model::Listener& listener = *snapshot->listeners[0];
  EXPECT_EQ(listener.direction, model::Listener::Direction::unspecified);
  EXPECT_EQ(listener.per_connection_buffer_limit_bytes, 1024U * 1024);
  EXPECT_TRUE(listener.bind_to_port);
  EXPECT_EQ(listener.service, "");
}

TEST(Defaults, AListenerWithoutANameHasItsAddress) {
  const Loaded snapshot = load(R"(
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 7}}
    filter_chains:
    - filters:
      - name: h
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: s
          route_config: {}
          http_filters:
          - name: r
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
)");
  EXPECT_EQ(snapshot->listeners[0]->name, "127.0.0.1:7");
  EXPECT_THAT(snapshot->listeners[0]->http().routes->virtual_hosts, IsEmpty());
}

TEST(Defaults, ConnectionManager) {
  using Manager = model::HttpConnectionManager;
  const Loaded snapshot = load(Parts{});
  const Manager& http = snapshot->listeners[0]->http();
  EXPECT_EQ(http.server_name, "remora");
  EXPECT_EQ(http.server_header, Manager::ServerHeader::overwrite);
  EXPECT_FALSE(http.use_remote_address);
  EXPECT_EQ(http.xff_num_trusted_hops, 0U);
  EXPECT_FALSE(http.skip_xff_append);
  EXPECT_THAT(http.internal_ranges, IsEmpty());
  EXPECT_FALSE(http.internal_unix_sockets);
  EXPECT_EQ(http.via, "");
  EXPECT_TRUE(http.generate_request_id);
  EXPECT_FALSE(http.preserve_external_request_id);
  EXPECT_FALSE(http.always_set_request_id_in_response);
  EXPECT_FALSE(http.suppress_envoy_headers);
  EXPECT_FALSE(http.respect_expected_rq_timeout);
  EXPECT_FALSE(http.accept_http_10);
  EXPECT_FALSE(http.normalize_path);
  EXPECT_FALSE(http.merge_slashes);
  EXPECT_FALSE(http.strip_any_host_port);
  EXPECT_FALSE(http.strip_matching_host_port);
  EXPECT_EQ(http.underscores, Manager::Underscores::allow);
  EXPECT_THAT(http.upgrades, IsEmpty());
  EXPECT_EQ(http.max_request_headers_kb, 60U);
  EXPECT_EQ(http.max_headers_count, 100U);
  EXPECT_EQ(http.max_request_body_bytes, 0U);
  EXPECT_EQ(http.max_requests_per_connection, 0U);
  EXPECT_EQ(http.idle_timeout, 1h);
  EXPECT_EQ(http.stream_idle_timeout, 5min);
  EXPECT_EQ(http.request_timeout, 0s);
  EXPECT_EQ(http.request_headers_timeout, 0s);
  EXPECT_EQ(http.max_connection_duration, 0s);
  EXPECT_EQ(http.delayed_close_timeout, 1s);
  EXPECT_EQ(http.drain_timeout, 5s);
  EXPECT_FALSE(http.tracing);
  EXPECT_THAT(http.access_logs, IsEmpty());
}

TEST(Defaults, Tracing) {
  Parts parts;
  parts.http = "tracing: {}";
  const Loaded snapshot = load(parts);
  ASSERT_TRUE(snapshot->listeners[0]->http().tracing);
  const model::Tracing& tracing = *snapshot->listeners[0]->http().tracing;
  EXPECT_EQ(tracing.client_sampling, 100);
  EXPECT_EQ(tracing.random_sampling, 100);
  EXPECT_EQ(tracing.overall_sampling, 100);
  EXPECT_EQ(tracing.begin, model::Tracing::Begin::w3c);
}

TEST(Defaults, Route) {
  const Loaded snapshot = load(Parts{});
  const model::RouteConfiguration& routes = *snapshot->listeners[0]->http().routes;
  EXPECT_FALSE(routes.most_specific_header_mutations_wins);
  EXPECT_EQ(routes.route_count, 1U);
  const model::VirtualHost& host = routes.virtual_hosts[0];
  EXPECT_FALSE(host.include_request_attempt_count);
  EXPECT_TRUE(host.edits.empty());
  const model::Route& route = host.routes[0];
  EXPECT_EQ(route.index, 0U);
  EXPECT_EQ(route.label, "web/");
  EXPECT_TRUE(route.match.path.case_sensitive);
  EXPECT_EQ(route.match.runtime_fraction_per_million, 1'000'000U);
  EXPECT_EQ(route.per_request_buffer_limit_bytes, 0U);
  EXPECT_TRUE(route.edits.empty());
  const auto& action = std::get<model::RouteAction>(route.action);
  EXPECT_EQ(action.timeout, 15s);
  EXPECT_FALSE(action.idle_timeout);
  EXPECT_FALSE(action.retry);
  EXPECT_FALSE(action.auto_host_rewrite);
  EXPECT_EQ(action.cluster_not_found_code, 503);
}

TEST(Defaults, RetryPolicy) {
  Parts parts;
  parts.routes = "- match: {prefix: /}\n  route: {cluster: a, retry_policy: {retry_on: 5xx}}";
  const Loaded snapshot = load(parts);
  const auto& route = snapshot->listeners[0]->http().routes->virtual_hosts[0].routes[0];
  const model::RetryPolicy& retry = *std::get<model::RouteAction>(route.action).retry;
  EXPECT_EQ(retry.num_retries, 1U);
  EXPECT_EQ(retry.per_try_timeout, 0s);
  EXPECT_EQ(retry.per_try_idle_timeout, 0s);
  EXPECT_EQ(retry.base_interval, 25ms);
  EXPECT_EQ(retry.max_interval, 250ms);
  EXPECT_EQ(retry.host_selection_retry_max_attempts, 1U);
  EXPECT_FALSE(retry.previous_hosts);
  EXPECT_FALSE(retry.retry_non_idempotent);
}

TEST(Defaults, TheGreatestBackOffIsTenTimesTheLeast) {
  Parts parts;
  parts.host = "retry_policy: {retry_on: 5xx, retry_back_off: {base_interval: 0.1s}}";
  const Loaded snapshot = load(parts);
  const auto& route = snapshot->listeners[0]->http().routes->virtual_hosts[0].routes[0];
  EXPECT_EQ(std::get<model::RouteAction>(route.action).retry->max_interval, 1s);
}

TEST(Defaults, Redirect) {
  Parts parts;
  parts.routes = "- match: {prefix: /}\n  redirect: {host_redirect: x}";
  const Loaded snapshot = load(parts);
  const auto& route = snapshot->listeners[0]->http().routes->virtual_hosts[0].routes[0];
  EXPECT_EQ(std::get<model::RedirectAction>(route.action).response_code, 301);
}

TEST(Defaults, HeaderAppends) {
  Parts parts;
  parts.host = "request_headers_to_add: [{header: {key: X-A, value: b}}, {header: {key: x, value: b}, append: false}]";
  const Loaded snapshot = load(parts);
  const auto& adds = snapshot->listeners[0]->http().routes->virtual_hosts[0].edits.request_add;
  EXPECT_EQ(adds[0].name, "x-a");
  EXPECT_EQ(adds[0].action, model::HeaderAdd::Action::append_if_exists_or_add);
  EXPECT_FALSE(adds[0].keep_empty_value);
  EXPECT_EQ(adds[1].action, model::HeaderAdd::Action::overwrite_if_exists_or_add);
}

TEST(Defaults, Cluster) {
  const Loaded snapshot = load(Parts{});
  const model::Cluster& cluster = *snapshot->clusters.at("a");
  EXPECT_EQ(cluster.alt_stat_name, "a");
  EXPECT_EQ(cluster.lb_policy, model::LbPolicy::round_robin);
  EXPECT_EQ(cluster.least_request_choice_count, 2U);
  EXPECT_EQ(cluster.ring_hash, (model::RingHash{1024, 8'388'608, model::RingHash::Function::xx_hash}));
  EXPECT_EQ(cluster.maglev_table_size, 65'537U);
  EXPECT_EQ(cluster.overprovisioning_factor, 140U);
  EXPECT_EQ(cluster.panic_threshold_percent, 50U);
  EXPECT_EQ(cluster.connect_timeout, 5s);
  EXPECT_EQ(cluster.idle_timeout, 1h);
  EXPECT_EQ(cluster.max_connection_duration, 0s);
  EXPECT_EQ(cluster.max_requests_per_connection, 0U);
  EXPECT_EQ(cluster.per_connection_buffer_limit_bytes, 1024U * 1024);
  EXPECT_EQ(cluster.max_response_headers_kb, 60U);
  EXPECT_EQ(cluster.max_response_headers_count, 100U);
  EXPECT_FALSE(cluster.tcp_keepalive);
  EXPECT_FALSE(cluster.source_address);
  EXPECT_EQ(cluster.endpoints[0].weight, 1U);
  EXPECT_EQ(cluster.endpoints[0].priority, 0U);
  EXPECT_EQ(cluster.endpoints[0].health, model::Endpoint::Health::unknown);
  EXPECT_EQ(cluster.thresholds.max_connections, 1024U);
  EXPECT_EQ(cluster.thresholds.max_pending_requests, 1024U);
  EXPECT_EQ(cluster.thresholds.max_requests, 1024U);
  EXPECT_EQ(cluster.thresholds.max_retries, 3U);
  EXPECT_EQ(cluster.thresholds.retry_budget_percent, 20.0) << "on by default, unlike Envoy's";
  EXPECT_EQ(cluster.thresholds.min_retry_concurrency, 3U);
  EXPECT_FALSE(cluster.thresholds.use_max_retries);
  EXPECT_FALSE(cluster.outlier.enabled);
  EXPECT_EQ(cluster.breaker.failure_threshold, 0U);
}

TEST(Defaults, MaxRetriesWithoutABudgetIsALimitToo) {
  Parts parts;
  parts.cluster = "circuit_breakers: {thresholds: [{max_retries: 9}]}";
  EXPECT_TRUE(load(parts)->clusters.at("a")->thresholds.use_max_retries);
  parts.cluster = "circuit_breakers: {thresholds: [{max_retries: 9, retry_budget: {}}]}";
  EXPECT_FALSE(load(parts)->clusters.at("a")->thresholds.use_max_retries);
}

TEST(Defaults, OutlierDetection) {
  Parts parts;
  parts.cluster = "outlier_detection: {}";
  const Loaded snapshot = load(parts);
  const model::OutlierDetection& outlier = snapshot->clusters.at("a")->outlier;
  EXPECT_TRUE(outlier.enabled);
  EXPECT_EQ(outlier.consecutive_5xx, 5U);
  EXPECT_EQ(outlier.enforcing_consecutive_5xx, 100U);
  EXPECT_EQ(outlier.consecutive_gateway_failure, 5U);
  EXPECT_EQ(outlier.enforcing_consecutive_gateway_failure, 0U);
  EXPECT_EQ(outlier.consecutive_local_origin_failure, 5U);
  EXPECT_EQ(outlier.enforcing_consecutive_local_origin_failure, 100U);
  EXPECT_FALSE(outlier.split_external_local_origin_errors);
  EXPECT_EQ(outlier.interval, 10s);
  EXPECT_EQ(outlier.base_ejection_time, 30s);
  EXPECT_EQ(outlier.max_ejection_time, 300s);
  EXPECT_EQ(outlier.max_ejection_percent, 10U);
  EXPECT_EQ(outlier.success_rate_minimum_hosts, 5U);
  EXPECT_EQ(outlier.success_rate_request_volume, 100U);
  EXPECT_EQ(outlier.success_rate_stdev_factor, 1900U);
  EXPECT_EQ(outlier.enforcing_success_rate, 100U);
  EXPECT_EQ(outlier.enforcing_local_origin_success_rate, 100U);
  EXPECT_EQ(outlier.failure_percentage_minimum_hosts, 5U);
  EXPECT_EQ(outlier.failure_percentage_request_volume, 50U);
  EXPECT_EQ(outlier.failure_percentage_threshold, 85U);
  EXPECT_EQ(outlier.enforcing_failure_percentage, 0U);
  EXPECT_EQ(outlier.enforcing_failure_percentage_local_origin, 0U);
  EXPECT_FALSE(outlier.always_eject_one_host);
  parts.cluster = "outlier_detection: {base_ejection_time: 400s}";
  EXPECT_EQ(load(parts)->clusters.at("a")->outlier.max_ejection_time, 400s);
}

TEST(Defaults, Breaker) {
  Parts parts;
  parts.cluster = "metadata: {filter_metadata: {remora: {breaker: {}}}}";
  const Loaded snapshot = load(parts);
  const model::Breaker& breaker = snapshot->clusters.at("a")->breaker;
  EXPECT_EQ(breaker.failure_threshold, 5U);
  EXPECT_EQ(breaker.recovery_time, 10s);
  EXPECT_EQ(breaker.probes, 3U);
}

TEST(Defaults, LabelsAreUnique) {
  Parts parts;
  parts.routes = R"(- match: {prefix: /, headers: [{name: x}]}
  route: {cluster: a}
- match: {prefix: /}
  route: {cluster: a}
- name: web/
  match: {prefix: /}
  route: {cluster: a})";
  const Loaded snapshot = load(parts);
  const auto& routes = snapshot->listeners[0]->http().routes->virtual_hosts[0].routes;
  EXPECT_EQ(routes[0].label, "web/");
  EXPECT_EQ(routes[1].label, "web/#2");
  EXPECT_EQ(routes[2].label, "web/#3");
}

}  // namespace
}  // namespace remora::xds::testing
