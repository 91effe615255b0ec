// Routes: which cluster a request goes to, and on what terms. Pure configuration, part of a Snapshot; immutable once
// built by proxy/xds; any thread. Source: envoy.config.route.v3.RouteConfiguration and what it holds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/time.h"
#include "proxy/model/format.h"
#include "proxy/model/match.h"

namespace remora::model {

// envoy.config.core.v3.HeaderValueOption
struct HeaderAdd {
  enum class Action : std::uint8_t {
    append_if_exists_or_add,
    add_if_absent,
    overwrite_if_exists_or_add,
    overwrite_if_exists
  };
  std::string name;  // lower case
  Format value;
  Action action = Action::append_if_exists_or_add;
  bool keep_empty_value = false;
};

struct HeaderEdits {
  std::vector<HeaderAdd> request_add;
  std::vector<std::string> request_remove;  // lower case
  std::vector<HeaderAdd> response_add;
  std::vector<std::string> response_remove;

  bool empty() const {
    return request_add.empty() && request_remove.empty() && response_add.empty() && response_remove.empty();
  }
};

// The conditions of envoy.config.route.v3.RetryPolicy.retry_on, as bits.
namespace retry_on {
constexpr std::uint32_t k5xx = 1u << 0;
constexpr std::uint32_t kGatewayError = 1u << 1;
constexpr std::uint32_t kReset = 1u << 2;
constexpr std::uint32_t kResetBeforeRequest = 1u << 3;
constexpr std::uint32_t kConnectFailure = 1u << 4;
constexpr std::uint32_t kRetriable4xx = 1u << 5;
constexpr std::uint32_t kRefusedStream = 1u << 6;
constexpr std::uint32_t kRetriableStatusCodes = 1u << 7;
constexpr std::uint32_t kRetriableHeaders = 1u << 8;
constexpr std::uint32_t kEnvoyRatelimited = 1u << 9;
constexpr std::uint32_t kHttp3PostConnectFailure = 1u << 10;
}  // namespace retry_on

struct RetryPolicy {
  std::uint32_t conditions = 0;  // retry_on bits
  std::uint32_t num_retries = 1;
  Milliseconds per_try_timeout{0};       // 0: none
  Milliseconds per_try_idle_timeout{0};  // 0: none
  Milliseconds base_interval{25};
  Milliseconds max_interval{250};  // 10 * base_interval unless said
  std::vector<int> retriable_status_codes;
  std::vector<HeaderMatch> retriable_headers;          // of the response
  std::vector<HeaderMatch> retriable_request_headers;  // of the request; empty: all
  bool previous_hosts = false;  // retry_host_predicate envoy.retry_host_predicates.previous_hosts
  std::uint32_t host_selection_retry_max_attempts = 1;
  bool retry_non_idempotent = false;  // filter_metadata.remora.retry_non_idempotent; ours
};

struct PathMatch {
  enum class Kind : std::uint8_t { prefix, path, regex, path_separated_prefix, connect };
  Kind kind = Kind::prefix;
  std::string text;
  bool case_sensitive = true;
  std::optional<Regex> regex;
};

struct QueryParameterMatch {
  std::string name;
  bool present = true;  // when there is no `string`
  std::optional<StringMatch> string;
};

struct RouteMatch {
  PathMatch path;
  std::vector<HeaderMatch> headers;
  std::vector<QueryParameterMatch> query_parameters;
  std::uint32_t runtime_fraction_per_million = 1'000'000;  // runtime_fraction.default_value
};

struct WeightedCluster {
  std::string name;
  std::uint32_t weight = 0;
  HeaderEdits edits;
  std::string host_rewrite_literal;
};

// envoy.config.route.v3.RouteAction.HashPolicy
struct HashPolicy {
  enum class Kind : std::uint8_t { header, cookie, source_ip, query_parameter };
  Kind kind = Kind::header;
  std::string name;                    // of the header (lower case), cookie or parameter
  std::optional<Regex> regex_rewrite;  // of a header's values
  std::string regex_rewrite_substitution;
  std::optional<Seconds> cookie_ttl;  // a missing cookie is made; 0: for the session
  std::string cookie_path;
  bool terminal = false;  // with a hash by now, the rest is not looked at
};

struct RouteAction {
  std::vector<WeightedCluster> clusters;  // one, of weight 1, when the route names a single cluster
  std::uint64_t total_weight = 0;
  std::string cluster_header;  // lower case; the cluster is what this request header says
  int cluster_not_found_code = 503;
  std::vector<HashPolicy> hash_policies;

  std::string prefix_rewrite;
  std::optional<Regex> regex_rewrite;
  std::string regex_rewrite_substitution;
  std::string host_rewrite_literal;
  std::string host_rewrite_header;  // lower case
  bool auto_host_rewrite = false;   // for DNS clusters
  bool append_x_forwarded_host = false;

  Milliseconds timeout{15'000};                        // 0: none
  std::optional<Milliseconds> idle_timeout;            // overrides the listener's stream_idle_timeout; 0: none
  std::optional<RetryPolicy> retry;                    // the virtual host's where the route has none
  std::vector<std::pair<std::string, bool>> upgrades;  // upgrade_configs: lower case type, enabled
};

struct DirectResponse {
  int status = 200;
  std::string body;
};

struct RedirectAction {
  bool https_redirect = false;
  std::string scheme_redirect;
  std::string host_redirect;
  std::uint32_t port_redirect = 0;
  std::string path_redirect;
  std::string prefix_rewrite;
  std::optional<Regex> regex_rewrite;
  std::string regex_rewrite_substitution;
  int response_code = 301;
  bool strip_query = false;
};

struct Route {
  std::uint32_t index = 0;  // unique in the RouteConfiguration: metrics and worker state are arrays by it
  std::string name;         // as written; may be empty
  std::string label;        // for metrics and pages: the name, or "<virtual host>/<match>" when there is none
  RouteMatch match;
  std::variant<RouteAction, DirectResponse, RedirectAction> action;
  HeaderEdits edits;
  std::uint64_t per_request_buffer_limit_bytes = 0;  // 0: the listener's
  bool retry_buffer_unlimited = false;
};

struct VirtualHost {
  std::string name;
  std::vector<std::string> domains;  // lower case
  std::vector<Route> routes;         // first match wins
  HeaderEdits edits;
  bool include_request_attempt_count = false;
  bool include_attempt_count_in_response = false;
};

struct RouteConfiguration {
  std::string name;
  std::vector<VirtualHost> virtual_hosts;
  HeaderEdits edits;
  bool most_specific_header_mutations_wins = false;
  std::vector<std::string> internal_only_headers;  // removed from external requests
  std::uint32_t route_count = 0;
  bool validate_clusters = true;  // false: routes may name clusters that are not there, and answer 503 then
};

}  // namespace remora::model
