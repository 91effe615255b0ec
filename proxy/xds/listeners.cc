#include <fmt/format.h>

#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace listener_v3 = envoy::config::listener::v3;
namespace hcm_v3 = envoy::extensions::filters::network::http_connection_manager::v3;
using envoy::extensions::filters::http::router::v3::Router;
using Hcm = hcm_v3::HttpConnectionManager;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

// A duration that the file may leave at its default.
void set_duration(const Scope& scope, bool has, std::string_view name, const pb::Duration& from, Milliseconds& to) {
  if (has) {
    to = read_duration(scope.field(name), from);
  }
}

void read_common(const Scope& scope, const core_v3::HttpProtocolOptions& message, model::HttpConnectionManager& http) {
  set_duration(scope, message.has_idle_timeout(), "idle_timeout", message.idle_timeout(), http.idle_timeout);
  set_duration(scope, message.has_max_connection_duration(), "max_connection_duration",
               message.max_connection_duration(), http.max_connection_duration);
  if (message.has_max_headers_count()) {
    http.max_headers_count = message.max_headers_count().value();
    if (http.max_headers_count == 0) {
      scope.error("max_headers_count", "must be at least 1");
    }
  }
  if (message.has_max_response_headers_kb()) {
    scope.error("max_response_headers_kb", "is of clusters: say it in the cluster's HttpProtocolOptions");
  }
  http.max_requests_per_connection = message.max_requests_per_connection().value();
  using Underscores = model::HttpConnectionManager::Underscores;
  switch (message.headers_with_underscores_action()) {
    case core_v3::HttpProtocolOptions::REJECT_REQUEST:
      http.underscores = Underscores::reject_request;
      break;
    case core_v3::HttpProtocolOptions::DROP_HEADER:
      http.underscores = Underscores::drop_header;
      break;
    default:
      http.underscores = Underscores::allow;
  }
}

void read_http1(const Scope& scope, const core_v3::Http1ProtocolOptions& message, model::HttpConnectionManager& http) {
  if (message.has_allow_absolute_url() && !message.allow_absolute_url().value()) {
    scope.error("allow_absolute_url", "false is Envoy's, but not supported by this version of Remora");
  }
  http.accept_http_10 = message.accept_http_10();
  http.default_host_for_http_10 = message.default_host_for_http_10();
}

void read_internal_ranges(const Scope& scope, const Hcm::InternalAddressConfig& message,
                          model::HttpConnectionManager& http) {
  const Scope ranges = scope.field("cidr_ranges");
  for (int i = 0; i < message.cidr_ranges_size(); ++i) {
    const auto& range = message.cidr_ranges(i);
    const Scope at = ranges.item(static_cast<std::size_t>(i));
    const auto address = Address::parse(range.address_prefix(), 0);
    if (!address) {
      at.error("address_prefix", address.error().message);
      continue;
    }
    const std::uint32_t most = address->family() == AF_INET ? 32 : 128;
    const std::uint32_t length = range.prefix_len().value();  // Envoy's default is 0
    if (length > most) {
      at.error("prefix_len", fmt::format("is {}, but such an address has {} bits", length, most));
      continue;
    }
    http.internal_ranges.push_back({*address, length});
  }
}

void read_percent(const Scope& scope, bool has, std::string_view name, const type_v3::Percent& from, double& to) {
  if (has) {
    to = from.value();
    check_range(scope.field(name), to, 0, 100);
  }
}

void read_tracing(const Scope& scope, const Hcm::Tracing& message, model::HttpConnectionManager& http) {
  model::Tracing& tracing = http.tracing.emplace();
  read_percent(scope, message.has_client_sampling(), "client_sampling", message.client_sampling(),
               tracing.client_sampling);
  read_percent(scope, message.has_random_sampling(), "random_sampling", message.random_sampling(),
               tracing.random_sampling);
  read_percent(scope, message.has_overall_sampling(), "overall_sampling", message.overall_sampling(),
               tracing.overall_sampling);
}

void read_upgrades(const Scope& list, const Hcm& message, model::HttpConnectionManager& http) {
  std::set<std::string> seen;
  for (int i = 0; i < message.upgrade_configs_size(); ++i) {
    const auto& from = message.upgrade_configs(i);
    const Scope at = list.item(static_cast<std::size_t>(i));
    std::string type = read_header_name(at.field("upgrade_type"), from.upgrade_type());
    if (!seen.insert(type).second) {
      at.error("upgrade_type", fmt::format("'{}' is here twice", type));
    }
    if (!from.has_enabled() || from.enabled().value()) {
      http.upgrades.push_back(std::move(type));
    }
  }
}

// One filter, the router, until there are more.
void read_filters(const Scope& list, const Hcm& message, model::HttpConnectionManager& http) {
  if (message.http_filters_size() == 0) {
    list.error("the last filter must be envoy.filters.http.router: there is none");
  }
  for (int i = 0; i < message.http_filters_size(); ++i) {
    const auto& filter = message.http_filters(i);
    const Scope at = list.item(static_cast<std::size_t>(i));
    require(at, "name", filter.name());
    Router router;
    if (!filter.has_typed_config()) {
      at.error("typed_config", "is required");
    } else if (!unpack_any(filter.typed_config(), router)) {
      at.error("typed_config", fmt::format("{} is no HTTP filter: expected {}", any_type_name(filter.typed_config()),
                                           router.GetDescriptor()->full_name()));
    } else if (i + 1 < message.http_filters_size()) {
      at.error("the router is the last filter, and there is one");
    }
    http.suppress_envoy_headers = router.suppress_envoy_headers();
    http.respect_expected_rq_timeout = router.respect_expected_rq_timeout();
  }
}

void read_identity(const Scope& scope, const Hcm& message, model::HttpConnectionManager& http) {
  if (!message.server_name().empty()) {
    http.server_name = message.server_name();
  }
  check_header_value(scope.field("server_name"), message.server_name());
  check_header_value(scope.field("via"), message.via());
  using ServerHeader = model::HttpConnectionManager::ServerHeader;
  switch (message.server_header_transformation()) {
    case Hcm::APPEND_IF_ABSENT:
      http.server_header = ServerHeader::append_if_absent;
      break;
    case Hcm::PASS_THROUGH:
      http.server_header = ServerHeader::pass_through;
      break;
    default:
      http.server_header = ServerHeader::overwrite;
  }
  http.via = message.via();
  http.use_remote_address = message.use_remote_address().value();
  http.xff_num_trusted_hops = message.xff_num_trusted_hops();
  http.internal_unix_sockets = message.internal_address_config().unix_sockets();
  const Scope internal = scope.field("internal_address_config");
  read_internal_ranges(internal, message.internal_address_config(), http);
  http.skip_xff_append = message.skip_xff_append();
  http.generate_request_id = !message.has_generate_request_id() || message.generate_request_id().value();
  http.preserve_external_request_id = message.preserve_external_request_id();
  http.always_set_request_id_in_response = message.always_set_request_id_in_response();
}

void read_limits(const Scope& scope, const Hcm& message, model::HttpConnectionManager& http) {
  if (message.has_max_request_headers_kb()) {
    http.max_request_headers_kb = message.max_request_headers_kb().value();
    check_range(scope.field("max_request_headers_kb"), http.max_request_headers_kb, 1, 8192);
  }
  set_duration(scope, message.has_stream_idle_timeout(), "stream_idle_timeout", message.stream_idle_timeout(),
               http.stream_idle_timeout);
  set_duration(scope, message.has_request_timeout(), "request_timeout", message.request_timeout(),
               http.request_timeout);
  set_duration(scope, message.has_request_headers_timeout(), "request_headers_timeout",
               message.request_headers_timeout(), http.request_headers_timeout);
  set_duration(scope, message.has_drain_timeout(), "drain_timeout", message.drain_timeout(), http.drain_timeout);
  set_duration(scope, message.has_delayed_close_timeout(), "delayed_close_timeout", message.delayed_close_timeout(),
               http.delayed_close_timeout);
}

void read_rds(const Scope& scope, const hcm_v3::Rds& message, const Environment& environment,
              std::optional<Reference>& rds) {
  require(scope, "route_config_name", message.route_config_name());
  const Scope source = scope.field("config_source");
  if (!message.has_config_source()) {
    source.error("is required");
    return;
  }
  rds = {message.route_config_name(), read_config_source(source, message.config_source(), environment)};
}

void read_http(const Scope& scope, const Hcm& message, const Environment& environment,
               model::HttpConnectionManager& http, std::optional<Reference>& rds) {
  require(scope, "stat_prefix", message.stat_prefix());
  http.stat_prefix = message.stat_prefix();
  if (message.has_route_config()) {
    http.routes = read_routes(scope.field("route_config"), message.route_config(), environment);
  } else if (message.has_rds()) {
    read_rds(scope.field("rds"), message.rds(), environment, rds);
  } else {
    scope.error("route_config", "is required, or rds");
  }
  read_filters(scope.field("http_filters"), message, http);
  read_common(scope.field("common_http_protocol_options"), message.common_http_protocol_options(), http);
  read_http1(scope.field("http_protocol_options"), message.http_protocol_options(), http);
  read_identity(scope, message, http);
  read_limits(scope, message, http);
  http.normalize_path = message.normalize_path().value();
  http.merge_slashes = message.merge_slashes();
  http.strip_any_host_port = message.strip_any_host_port();
  http.strip_matching_host_port = message.strip_matching_host_port();
  if (http.strip_any_host_port && http.strip_matching_host_port) {
    scope.error("strip_any_host_port", "and strip_matching_host_port exclude each other");
  }
  http.proxy_100_continue = message.proxy_100_continue();
  read_upgrades(scope.field("upgrade_configs"), message, http);
  if (message.has_tracing()) {
    read_tracing(scope.field("tracing"), message.tracing(), http);
  }
  http.access_logs = read_access_logs(scope.field("access_log"), message.access_log());
}

void read_chain(const Scope& scope, const listener_v3::FilterChain& message, const Environment& environment,
                model::Listener& listener, std::optional<Reference>& rds) {
  const Scope filters = scope.field("filters");
  if (message.filters_size() != 1) {
    filters.error(fmt::format("one filter is supported by this version of Remora, not {}", message.filters_size()));
    return;
  }
  const listener_v3::Filter& filter = message.filters(0);
  const Scope at = filters.item(0);
  require(at, "name", filter.name());
  const Scope config = at.field("typed_config");
  Hcm manager;
  TcpProxy tcp;
  if (!filter.has_typed_config()) {
    config.error("is required");
  } else if (unpack_any(filter.typed_config(), manager)) {
    read_http(config, manager, environment, listener.chain.emplace<model::HttpConnectionManager>(), rds);
  } else if (unpack_any(filter.typed_config(), tcp)) {
    listener.chain = read_tcp_proxy(config, tcp, environment);
  } else {
    config.error(fmt::format("{} is no network filter: expected {} or {}", any_type_name(filter.typed_config()),
                             manager.GetDescriptor()->full_name(), tcp.GetDescriptor()->full_name()));
  }
}

// What filter_metadata.remora adds to the connection manager.
void add_extras(const Scope& metadata, const ListenerExtras& extras, model::Listener& listener) {
  auto* http = std::get_if<model::HttpConnectionManager>(&listener.chain);
  if (http == nullptr) {
    if (extras.max_request_body_bytes != 0 || extras.trace_format != model::Tracing::Begin::w3c) {
      metadata.error("max_request_body_bytes and trace_format are of HTTP, and this listener tunnels TCP");
    }
    return;
  }
  http->max_request_body_bytes = extras.max_request_body_bytes;
  if (http->tracing) {
    http->tracing->begin = extras.trace_format;
  }
}

}  // namespace

std::shared_ptr<const model::Listener> read_listener(const Scope& scope, const listener_v3::Listener& message,
                                                     const Environment& environment, std::optional<Reference>& rds) {
  auto result = std::make_shared<model::Listener>();
  if (message.has_address()) {
    result->address = read_address(scope.field("address"), message.address());
  } else {
    scope.error("address", "is required");
  }
  result->name = message.name().empty() ? result->address.to_string() : message.name();
  if (message.traffic_direction() == core_v3::INBOUND) {
    result->direction = model::Listener::Direction::inbound;
  } else if (message.traffic_direction() == core_v3::OUTBOUND) {
    result->direction = model::Listener::Direction::outbound;
  }
  if (message.has_tcp_backlog_size()) {
    result->tcp_backlog_size = message.tcp_backlog_size().value();
  }
  if (message.has_per_connection_buffer_limit_bytes()) {
    result->per_connection_buffer_limit_bytes = message.per_connection_buffer_limit_bytes().value();
  }
  result->bind_to_port = !message.has_bind_to_port() || message.bind_to_port().value();
  if (message.has_enable_reuse_port() && !message.enable_reuse_port().value()) {
    scope.error("enable_reuse_port", "false is Envoy's, but not supported by this version of Remora");
  }
  const Scope chains = scope.field("filter_chains");
  if (message.filter_chains_size() == 1) {
    read_chain(chains.item(0), message.filter_chains(0), environment, *result, rds);
  } else {
    chains.error(
        fmt::format("one filter chain is supported by this version of Remora, not {}", message.filter_chains_size()));
  }
  const Scope metadata = scope.field("metadata");
  const ListenerExtras extras = read_listener_extras(metadata, message.metadata());
  result->service = extras.service.empty() ? environment.default_service : extras.service;
  result->intentions_not_enforced = extras.intentions_not_enforced;
  add_extras(metadata, extras, *result);
  return result;
}

}  // namespace remora::xds
