#include <fmt/format.h>

#include <array>
#include <limits>

#include "core/base/nearest.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

constexpr std::size_t kMaxDirectBody = 4096;  // Envoy's max_direct_response_body_size_bytes

struct Condition {
  std::string_view name;
  std::uint32_t bit;
};
constexpr auto kConditions = std::to_array<Condition>({
    {"5xx", model::retry_on::k5xx},
    {"gateway-error", model::retry_on::kGatewayError},
    {"reset", model::retry_on::kReset},
    {"reset-before-request", model::retry_on::kResetBeforeRequest},
    {"connect-failure", model::retry_on::kConnectFailure},
    {"retriable-4xx", model::retry_on::kRetriable4xx},
    {"refused-stream", model::retry_on::kRefusedStream},
    {"retriable-status-codes", model::retry_on::kRetriableStatusCodes},
    {"retriable-headers", model::retry_on::kRetriableHeaders},
    {"envoy-ratelimited", model::retry_on::kEnvoyRatelimited},
    {"http3-post-connect-failure", model::retry_on::kHttp3PostConnectFailure},
});
constexpr auto kGrpcConditions = std::to_array<std::string_view>(
    {"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"});

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::uint32_t read_conditions(const Scope& scope, const std::string& text) {
  std::uint32_t bits = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view word = trim(std::string_view(text).substr(at, comma - at));
    at = comma + 1;
    if (word.empty()) {
      continue;
    }
    const auto* known = std::ranges::find(kConditions, word, &Condition::name);
    if (known != kConditions.end()) {
      bits |= known->bit;
    } else if (std::ranges::find(kGrpcConditions, word) != kGrpcConditions.end()) {
      scope.error(fmt::format("the condition '{}' is Envoy's, but not supported by this version of Remora", word));
    } else {
      std::array<std::string_view, kConditions.size()> names;
      std::ranges::transform(kConditions, names.begin(), &Condition::name);
      scope.error(fmt::format("there is no condition '{}'{}", word, did_you_mean(word, names)));
    }
  }
  return bits;
}

void read_back_off(const Scope& scope, const route_v3::RetryPolicy::RetryBackOff& back_off,
                   model::RetryPolicy& result) {
  if (!back_off.has_base_interval()) {
    scope.error("base_interval", "is required");
    return;
  }
  result.base_interval = read_duration(scope.field("base_interval"), back_off.base_interval(), Sign::positive);
  result.max_interval = 10 * result.base_interval;
  if (back_off.has_max_interval()) {
    result.max_interval = read_duration(scope.field("max_interval"), back_off.max_interval(), Sign::positive);
    if (result.max_interval < result.base_interval) {
      scope.error("max_interval", "must not be shorter than base_interval");
    }
  }
}

void read_host_predicates(const Scope& list, const route_v3::RetryPolicy& policy, model::RetryPolicy& result) {
  for (int i = 0; i < policy.retry_host_predicate_size(); ++i) {
    const auto& predicate = policy.retry_host_predicate(i);
    const Scope at = list.item(static_cast<std::size_t>(i));
    require(at, "name", predicate.name());
    envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate content;
    if (!predicate.has_typed_config() && predicate.name() != "envoy.retry_host_predicates.previous_hosts") {
      at.error("typed_config", "is required");
    } else if (predicate.has_typed_config() && !unpack_any(predicate.typed_config(), content)) {
      at.error("typed_config", fmt::format("only {} is supported here", content.GetDescriptor()->full_name()));
    }
    result.previous_hosts = true;
  }
}

void check_cluster(const Scope& scope, const std::string& name, const RouteDefaults& defaults) {
  if (defaults.clusters == nullptr || name.empty() || defaults.clusters->contains(name)) {
    return;
  }
  const std::vector<std::string_view> known(defaults.clusters->begin(), defaults.clusters->end());
  scope.error(fmt::format("there is no cluster '{}'{}", name, did_you_mean(name, known)));
}

void read_weighted(const Scope& scope, const route_v3::WeightedCluster& message, const RouteDefaults& defaults,
                   model::RouteAction& result) {
  const Scope list = scope.field("clusters");
  if (message.clusters_size() == 0) {
    list.error("at least one cluster is required");
  }
  for (int i = 0; i < message.clusters_size(); ++i) {
    const auto& from = message.clusters(i);
    const Scope at = list.item(static_cast<std::size_t>(i));
    require(at, "name", from.name());
    check_cluster(at.field("name"), from.name(), defaults);
    result.total_weight += from.weight().value();
    result.clusters.push_back(
        {from.name(), from.weight().value(), read_header_edits(at, from), from.host_rewrite_literal()});
  }
  if (message.clusters_size() > 0 && result.total_weight == 0) {
    list.error("the sum of the weights must be greater than 0");
  }
  if (result.total_weight > std::numeric_limits<std::uint32_t>::max()) {
    list.error(fmt::format("the sum of the weights must be at most {}", std::numeric_limits<std::uint32_t>::max()));
  }
  if (message.has_total_weight() && message.total_weight().value() != result.total_weight) {
    scope.error("total_weight", fmt::format("says {}, but the weights' sum is {}", message.total_weight().value(),
                                            result.total_weight));
  }
}

void read_target(const Scope& scope, const route_v3::RouteAction& action, const RouteDefaults& defaults,
                 model::RouteAction& result) {
  switch (action.cluster_specifier_case()) {
    case route_v3::RouteAction::kCluster:
      require(scope, "cluster", action.cluster());
      check_cluster(scope.field("cluster"), action.cluster(), defaults);
      result.clusters.push_back({action.cluster(), 1, {}, {}});
      result.total_weight = 1;
      break;
    case route_v3::RouteAction::kClusterHeader:
      result.cluster_header = read_header_name(scope.field("cluster_header"), action.cluster_header());
      break;
    case route_v3::RouteAction::kWeightedClusters:
      read_weighted(scope.field("weighted_clusters"), action.weighted_clusters(), defaults, result);
      break;
    case route_v3::RouteAction::CLUSTER_SPECIFIER_NOT_SET:
      scope.error("one of cluster, weighted_clusters, cluster_header is required");
      break;
  }
  switch (action.cluster_not_found_response_code()) {
    case route_v3::RouteAction::NOT_FOUND:
      result.cluster_not_found_code = 404;
      break;
    case route_v3::RouteAction::INTERNAL_SERVER_ERROR:
      result.cluster_not_found_code = 500;
      break;
    default:
      result.cluster_not_found_code = 503;
  }
}

void read_rewrites(const Scope& scope, const route_v3::RouteAction& action, model::RouteAction& result) {
  result.prefix_rewrite = action.prefix_rewrite();
  check_header_value(scope.field("prefix_rewrite"), action.prefix_rewrite());
  if (action.has_regex_rewrite()) {
    if (!action.prefix_rewrite().empty()) {
      scope.error("regex_rewrite", "and prefix_rewrite exclude each other");
    }
    result.regex_rewrite = read_rewrite(scope.field("regex_rewrite"), action.regex_rewrite());
    result.regex_rewrite_substitution = action.regex_rewrite().substitution();
  }
  switch (action.host_rewrite_specifier_case()) {
    case route_v3::RouteAction::kHostRewriteLiteral:
      result.host_rewrite_literal = action.host_rewrite_literal();
      check_header_value(scope.field("host_rewrite_literal"), result.host_rewrite_literal);
      break;
    case route_v3::RouteAction::kHostRewriteHeader:
      result.host_rewrite_header = read_header_name(scope.field("host_rewrite_header"), action.host_rewrite_header());
      break;
    case route_v3::RouteAction::kAutoHostRewrite:
      result.auto_host_rewrite = action.auto_host_rewrite().value();
      break;
    case route_v3::RouteAction::HOST_REWRITE_SPECIFIER_NOT_SET:
      break;
  }
  result.append_x_forwarded_host = action.append_x_forwarded_host();
}

}  // namespace

std::optional<model::RetryPolicy> read_retry_policy(const Scope& scope, const route_v3::RetryPolicy& policy) {
  model::RetryPolicy result;
  result.conditions = read_conditions(scope.field("retry_on"), policy.retry_on());
  if (policy.has_num_retries()) {
    result.num_retries = policy.num_retries().value();
  }
  if (policy.has_per_try_timeout()) {
    result.per_try_timeout = read_duration(scope.field("per_try_timeout"), policy.per_try_timeout());
  }
  if (policy.has_per_try_idle_timeout()) {
    result.per_try_idle_timeout = read_duration(scope.field("per_try_idle_timeout"), policy.per_try_idle_timeout());
  }
  if (policy.has_retry_back_off()) {
    read_back_off(scope.field("retry_back_off"), policy.retry_back_off(), result);
  }
  const Scope codes = scope.field("retriable_status_codes");
  for (int i = 0; i < policy.retriable_status_codes_size(); ++i) {
    check_range(codes.item(static_cast<std::size_t>(i)), policy.retriable_status_codes(i), 100, 599);
    result.retriable_status_codes.push_back(static_cast<int>(policy.retriable_status_codes(i)));
  }
  const Scope headers = scope.field("retriable_headers");
  for (int i = 0; i < policy.retriable_headers_size(); ++i) {
    result.retriable_headers.push_back(
        read_header_match(headers.item(static_cast<std::size_t>(i)), policy.retriable_headers(i)));
  }
  const Scope request_headers = scope.field("retriable_request_headers");
  for (int i = 0; i < policy.retriable_request_headers_size(); ++i) {
    result.retriable_request_headers.push_back(
        read_header_match(request_headers.item(static_cast<std::size_t>(i)), policy.retriable_request_headers(i)));
  }
  read_host_predicates(scope.field("retry_host_predicate"), policy, result);
  if (policy.host_selection_retry_max_attempts() != 0) {
    check_range(scope.field("host_selection_retry_max_attempts"),
                static_cast<double>(policy.host_selection_retry_max_attempts()), 1, 1'000'000);
    result.host_selection_retry_max_attempts = static_cast<std::uint32_t>(policy.host_selection_retry_max_attempts());
  }
  return result;
}

model::RouteAction read_route_action(const Scope& scope, const route_v3::RouteAction& action,
                                     const RouteDefaults& defaults) {
  model::RouteAction result;
  read_target(scope, action, defaults, result);
  read_rewrites(scope, action, result);
  result.hash_policies = read_hash_policies(scope.field("hash_policy"), action);
  if (action.has_timeout()) {
    result.timeout = read_duration(scope.field("timeout"), action.timeout());
  }
  if (action.has_idle_timeout()) {
    result.idle_timeout = read_duration(scope.field("idle_timeout"), action.idle_timeout());
  }
  if (action.has_retry_policy()) {
    result.retry = read_retry_policy(scope.field("retry_policy"), action.retry_policy());
  } else if (defaults.retry != nullptr) {
    result.retry = *defaults.retry;
  }
  const Scope upgrades = scope.field("upgrade_configs");
  for (int i = 0; i < action.upgrade_configs_size(); ++i) {
    const auto& from = action.upgrade_configs(i);
    const Scope at = upgrades.item(static_cast<std::size_t>(i));
    std::string type = read_header_name(at.field("upgrade_type"), from.upgrade_type());
    if (std::ranges::any_of(result.upgrades, [&](const auto& other) { return other.first == type; })) {
      at.error("upgrade_type", fmt::format("'{}' is here twice", type));
    }
    result.upgrades.emplace_back(std::move(type), !from.has_enabled() || from.enabled().value());
  }
  return result;
}

model::DirectResponse read_direct_response(const Scope& scope, const route_v3::DirectResponseAction& action) {
  model::DirectResponse result;
  check_range(scope.field("status"), action.status(), 200, 599);
  result.status = static_cast<int>(action.status());
  if (action.has_body()) {
    const Scope body = scope.field("body");
    result.body = read_data_source(body, action.body());
    if (result.body.size() > kMaxDirectBody) {
      body.error(fmt::format("has {} bytes, more than {}", result.body.size(), kMaxDirectBody));
    }
  }
  return result;
}

model::RedirectAction read_redirect(const Scope& scope, const route_v3::RedirectAction& action) {
  model::RedirectAction result;
  result.https_redirect = action.https_redirect();
  result.scheme_redirect = action.scheme_redirect();
  result.host_redirect = action.host_redirect();
  result.port_redirect = action.port_redirect();
  result.path_redirect = action.path_redirect();
  result.prefix_rewrite = action.prefix_rewrite();
  result.strip_query = action.strip_query();
  check_range(scope.field("port_redirect"), action.port_redirect(), 0, 65535);
  check_header_value(scope.field("host_redirect"), action.host_redirect());
  check_header_value(scope.field("scheme_redirect"), action.scheme_redirect());
  check_header_value(scope.field("path_redirect"), action.path_redirect());
  check_header_value(scope.field("prefix_rewrite"), action.prefix_rewrite());
  if (action.has_regex_rewrite()) {
    result.regex_rewrite = read_rewrite(scope.field("regex_rewrite"), action.regex_rewrite());
    result.regex_rewrite_substitution = action.regex_rewrite().substitution();
  }
  static constexpr std::array<int, 5> kCodes = {301, 302, 303, 307, 308};
  result.response_code = kCodes.at(static_cast<std::size_t>(action.response_code()) % kCodes.size());
  return result;
}

}  // namespace remora::xds
