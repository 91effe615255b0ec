// Readers of how a proxy calls (upstream_config, an upstream's config) and how it behaves (a proxy's config).
#include <fmt/format.h>

#include "control/catalog/proxy_settings.h"
#include "control/catalog/readers.h"
#include "control/catalog/words.h"

namespace remora::catalog {
namespace {

constexpr Limits kPercent{0, 100};

constexpr std::string_view kEnvoyBootstrap =
    "this is for Envoy's bootstrap as `consul connect envoy` writes it; docs/cli.md has Remora's flags";

void read_balance(const At& at, std::string& into) {
  read_value(at, into, {});
  if (!into.empty() && into != "exact_balance") {
    at.expected("exact_balance");
  }
}

void read_outbound_balance(const At& at, UpstreamSettings& into) {
  std::string word;
  read_balance(at, word);
  into.balance_outbound_connections = word == "exact_balance";
}

void read_inbound_balance(const At& at, ProxySettings& into) { read_balance(at, into.balance_inbound_connections); }

// `protocol`: a word of Consul's, in any case.
template <typename Owner>
void read_protocol(const At& at, Owner& into) {
  read_protocol_word(at, into.protocol);
}

template <auto Member>
constexpr FieldRow milliseconds_or_zero(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits&) {
            read_milliseconds(at, static_cast<ProxySettings*>(into)->*Member, false);
          }};
}

constexpr std::array kProxyRows = {
    custom<ProxySettings, read_protocol<ProxySettings>>("protocol"),
    row<&ProxySettings::bind_address>("bind_address"),
    row<&ProxySettings::bind_port>("bind_port"),
    milliseconds<&ProxySettings::local_connect_timeout>("local_connect_timeout_ms"),
    milliseconds_or_zero<&ProxySettings::local_request_timeout>("local_request_timeout_ms"),
    milliseconds_or_zero<&ProxySettings::local_idle_timeout>("local_idle_timeout_ms"),
    nonzero<&ProxySettings::max_inbound_connections>("max_inbound_connections"),
    custom<ProxySettings, read_inbound_balance>("balance_inbound_connections"),
    row<&ProxySettings::envoy_prometheus_bind_addr>("envoy_prometheus_bind_addr"),
    extension<&Extensions::fault, ProxySettings>("fault"),
    extension<&Extensions::request_mirror_policies, ProxySettings>("request_mirror_policies"),
    extension<&Extensions::retry_policy, ProxySettings>("retry_policy"),
    extension<&Extensions::retry_budget, ProxySettings>("retry_budget"),
    extension<&Extensions::breaker, ProxySettings>("breaker"),
    extension<&Extensions::discovery, ProxySettings>("discovery"),
    refused("hedge_policy", kNoHedging),
    refused("rate_limits", kNoRateLimit),
    refused("adaptive_concurrency", kNoAdaptive),
    // Consul's agents write proxy-defaults' `config` into that of each proxy.
    tolerated("allow_unauthenticated", "is about the whole mesh: it belongs into the `config` of proxy-defaults"),
    refused("envoy_public_listener_json", kNoEnvoyJson),
    refused("envoy_local_cluster_json", kNoEnvoyJson),
    refused("envoy_listener_tracing_json", kNoEnvoyJson),
    tolerated("xds_fetch_timeout_ms", kEnvoyBootstrap),
    tolerated("envoy_bootstrap_json_tpl", kEnvoyBootstrap),
    tolerated("envoy_tracing_json", kEnvoyBootstrap),
    tolerated("envoy_extra_static_clusters_json", kEnvoyBootstrap),
    tolerated("envoy_extra_static_listeners_json", kEnvoyBootstrap),
    tolerated("envoy_extra_stats_sinks_json", kEnvoyBootstrap),
    tolerated("envoy_stats_config_json", kEnvoyBootstrap),
    tolerated("envoy_stats_tags", kEnvoyBootstrap),
    tolerated("envoy_stats_flush_interval", kEnvoyBootstrap),
    tolerated("envoy_statsd_url", kEnvoyBootstrap),
    tolerated("envoy_dogstatsd_url", kEnvoyBootstrap),
    tolerated("envoy_stats_bind_addr", kEnvoyBootstrap),
    tolerated("envoy_ready_bind_addr", kEnvoyBootstrap),
    tolerated("envoy_telemetry_collector_bind_socket_dir", kEnvoyBootstrap),
};

}  // namespace

std::span<const FieldRow> proxy_settings_rows() { return kProxyRows; }

void read_protocol_word(const At& at, std::string& into) {
  static constexpr std::array<std::string_view, 4> kProtocols = {"tcp", "http", "http2", "grpc"};
  if (at.from_consul() && at.node().text.empty()) {
    return;
  }
  std::string word;
  read_value(at, word, {});
  for (char& c : word) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  for (std::string_view known : kProtocols) {
    if (known == word) {
      into = word;
      return;
    }
  }
  if (at.node().kind == config::YamlNode::Kind::scalar) {
    read_word(at, kProtocols);  // to say what was expected
  }
}

void read_balance_word(const At& at, std::string& into) { read_balance(at, into); }

void read_value(const At& at, UpstreamLimits& into, const Limits&) {
  static constexpr std::array kRows = {row<&UpstreamLimits::max_connections>("max_connections"),
                                       row<&UpstreamLimits::max_pending_requests>("max_pending_requests"),
                                       row<&UpstreamLimits::max_concurrent_requests>("max_concurrent_requests")};
  read_rows(at, kRows, &into);
}

void read_value(const At& at, PassiveHealthCheck& into, const Limits&) {
  static constexpr std::array kRows = {
      duration<&PassiveHealthCheck::interval>("interval"), nonzero<&PassiveHealthCheck::max_failures>("max_failures"),
      row<&PassiveHealthCheck::enforcing_consecutive_5xx>("enforcing_consecutive_5xx", kPercent),
      row<&PassiveHealthCheck::max_ejection_percent>("max_ejection_percent", kPercent),
      duration<&PassiveHealthCheck::base_ejection_time>("base_ejection_time")};
  read_rows(at, kRows, &into);
}

void read_value(const At& at, UpstreamSettings& into, const Limits&) {
  static constexpr std::array kRows = {
      row<&UpstreamSettings::name>("name"),
      custom<UpstreamSettings, read_protocol<UpstreamSettings>>("protocol"),
      milliseconds<&UpstreamSettings::connect_timeout>("connect_timeout_ms"),
      row<&UpstreamSettings::limits>("limits"),
      row<&UpstreamSettings::passive_health_check>("passive_health_check"),
      custom<UpstreamSettings, read_mesh_gateway_of<UpstreamSettings>>("mesh_gateway"),
      custom<UpstreamSettings, read_outbound_balance>("balance_outbound_connections"),
      extension<&Extensions::fault, UpstreamSettings>("fault"),
      extension<&Extensions::request_mirror_policies, UpstreamSettings>("request_mirror_policies"),
      extension<&Extensions::retry_policy, UpstreamSettings>("retry_policy"),
      extension<&Extensions::retry_budget, UpstreamSettings>("retry_budget"),
      extension<&Extensions::breaker, UpstreamSettings>("breaker"),
      extension<&Extensions::discovery, UpstreamSettings>("discovery"),
      refused("hedge_policy", kNoHedging),
      refused("rate_limits", kNoRateLimit),
      refused("adaptive_concurrency", kNoAdaptive),
      refused("envoy_listener_json", kNoEnvoyJson),
      refused("envoy_cluster_json", kNoEnvoyJson),
      refused("namespace", kNoNamespaces),
      refused("partition", kNoPartitions),
      refused("peer", kNoPeers)};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, ProxySettings& into, const Limits&) { read_mapping(at, into, kProxyRows); }

}  // namespace remora::catalog
