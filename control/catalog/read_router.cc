// The reader of service-router.
#include <fmt/format.h>

#include <algorithm>

#include "control/catalog/entry_rows.h"
#include "control/catalog/read_http_match.h"
#include "control/catalog/readers.h"
#include "core/base/nearest.h"

namespace remora::catalog {
namespace {

struct MatchKeys {
  RouteMatch match;
  PathKeys path;
};

template <auto Member>
constexpr FieldRow of_match(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits& limits) {
            read_value(at, static_cast<MatchKeys*>(into)->match.*Member, limits);
          }};
}
template <auto Member>
constexpr FieldRow of_path(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits& limits) {
            read_value(at, static_cast<MatchKeys*>(into)->path.*Member, limits);
          }};
}

void read_matches(const At& at, std::vector<ValueMatch>& into, MatchWords words) {
  if (is_list(at)) {
    for (std::size_t i = 0; i < at.node().items.size(); ++i) {
      read_value_match(at.item(i, *at.node().items[i]), into.emplace_back(), words);
    }
  }
}
void read_headers(const At& at, MatchKeys& into) { read_matches(at, into.match.header, MatchWords::router_header); }
void read_query(const At& at, MatchKeys& into) { read_matches(at, into.match.query_param, MatchWords::query); }

void read_http(const At& at, Route& into) {
  static constexpr std::array kRows = {
      of_path<&PathKeys::exact>("path_exact"),   of_path<&PathKeys::prefix>("path_prefix"),
      of_path<&PathKeys::regex>("path_regex"),   of_match<&RouteMatch::case_insensitive>("case_insensitive"),
      custom<MatchKeys, read_headers>("header"), custom<MatchKeys, read_query>("query_param"),
      of_match<&RouteMatch::methods>("methods")};
  MatchKeys keys;
  read_rows(at, kRows, &keys);
  into.match = std::move(keys.match);
  settle_path(at, keys.path, into.match.path);
  check_methods(at, into.match.methods);
}

void read_match(const At& at, Route& into) {
  static constexpr std::array kRows = {custom<Route, read_http>("http")};
  read_rows(at, kRows, &into);
}

void read_route_extensions(const At& at, Route& into) {
  read_extension_map(at, into.extensions, ExtensionScope::route);
}

void check_retries(const At& at, const RouteDestination& destination) {
  static constexpr std::array<std::string_view, 12> kConditions = {
      "5xx",       "gateway-error",     "reset",    "connect-failure",    "envoy-ratelimited", "retriable-4xx",
      "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",       "refused-stream"};
  for (const std::string& word : destination.retry_on) {
    if (std::ranges::find(kConditions, word) == kConditions.end()) {
      at.error("retry_on", fmt::format("'{}' is no condition that Consul knows{}; they are {}", word,
                                       did_you_mean(word, kConditions), fmt::join(kConditions, ", ")));
    }
  }
  for (const std::uint32_t code : destination.retry_on_status_codes) {
    if (code < 100 || code > 599) {
      at.error("retry_on_status_codes", fmt::format("expected status codes from 100 to 599, not {}", code));
    }
  }
}

}  // namespace

void read_value(const At& at, RouteDestination& into, const Limits&) {
  static constexpr std::array kRows = {row<&RouteDestination::service>("service"),
                                       row<&RouteDestination::service_subset>("service_subset"),
                                       row<&RouteDestination::prefix_rewrite>("prefix_rewrite"),
                                       duration<&RouteDestination::request_timeout>("request_timeout", kAnySign),
                                       duration<&RouteDestination::idle_timeout>("idle_timeout", kAnySign),
                                       row<&RouteDestination::num_retries>("num_retries"),
                                       row<&RouteDestination::retry_on>("retry_on"),
                                       row<&RouteDestination::retry_on_connect_failure>("retry_on_connect_failure"),
                                       row<&RouteDestination::retry_on_status_codes>("retry_on_status_codes"),
                                       row<&RouteDestination::request_headers>("request_headers"),
                                       row<&RouteDestination::response_headers>("response_headers"),
                                       refused("namespace", kNoNamespaces),
                                       refused("partition", kNoPartitions)};
  read_mapping(at, into, kRows);
  check_retries(at, into);
}

void read_value(const At& at, Route& into, const Limits&) {
  static constexpr std::array kRows = {custom<Route, read_match>("match"), row<&Route::destination>("destination"),
                                       custom<Route, read_route_extensions>("config")};
  read_mapping(at, into, kRows);
  const PathMatch::Kind path = into.match.path.kind;
  if (!into.destination.prefix_rewrite.empty() && path != PathMatch::Kind::exact && path != PathMatch::Kind::prefix) {
    at.error("destination", "prefix_rewrite needs a match by path_exact or path_prefix: that is what it replaces");
  }
}

void read_value(const At& at, ServiceRouter& into, const Limits&) {
  static constexpr auto kRows = entry_rows<ServiceRouter>(std::array{row<&ServiceRouter::routes>("routes")});
  read_mapping(at, into, kRows);
  settle_head(at, into.head);
}

}  // namespace remora::catalog
