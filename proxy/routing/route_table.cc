#include "proxy/routing/route_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/routing/ascii.h"
#include "proxy/routing/query.h"

namespace remora::routing {
namespace {

using model::PathMatch;

bool starts_with(std::string_view text, std::string_view prefix, bool case_sensitive) {
  return case_sensitive ? text.starts_with(prefix) : starts_with_ignoring_case(text, prefix);
}

// `path`: the head's, without its query.
bool path_matches(const PathMatch& match, const http::RequestHead& head, std::string_view path) {
  if (match.kind == PathMatch::Kind::connect) {
    return head.method_id == http::Method::connect;
  }
  if (head.path.empty()) {
    return false;  // CONNECT has no path: only a connect matcher takes it
  }
  const std::string_view text = match.text;
  switch (match.kind) {
    case PathMatch::Kind::prefix:
      return starts_with(path, text, match.case_sensitive);
    case PathMatch::Kind::path:
      return path.size() == text.size() && starts_with(path, text, match.case_sensitive);
    case PathMatch::Kind::path_separated_prefix:
      return starts_with(path, text, match.case_sensitive) && (path.size() == text.size() || path[text.size()] == '/');
    case PathMatch::Kind::regex:
      return match.regex && match.regex->full_match(path);
    case PathMatch::Kind::connect:
      break;
  }
  return false;
}

// What the head itself says under a header's name.
std::optional<std::string_view> header_value(const http::RequestHead& head, std::string_view name) {
  const auto some = [](std::string_view text) { return text.empty() ? std::nullopt : std::optional(text); };
  if (name.starts_with(':')) {
    if (name == ":method") {
      return some(head.method);
    }
    if (name == ":path") {
      return some(head.path);
    }
    if (name == ":authority") {
      return some(head.authority);
    }
    if (name == ":scheme") {
      // Envoy gives each request a scheme: what the client said, else x-forwarded-proto, else the connection's.
      const std::string_view forwarded = head.headers.value(http::HeaderId::x_forwarded_proto);
      return !head.scheme.empty() ? head.scheme : !forwarded.empty() ? forwarded : std::string_view("http");
    }
    return std::nullopt;
  }
  if (name == "host") {
    return some(head.authority);
  }
  return std::nullopt;
}

bool header_matches(const model::HeaderMatch& match, const http::RequestHead& head) {
  const bool of_head = match.name.starts_with(':') || match.name == "host";
  return of_head ? match.matches(header_value(head, match.name)) : match.matches_any(head.headers);
}

bool query_matches(const model::QueryParameterMatch& match, std::string_view path) {
  const std::optional<std::string_view> value = query_value(path, match.name);
  if (!match.string) {
    return value.has_value() == match.present;
  }
  return value && match.string->matches(*value);
}

bool route_matches(const model::Route& route, const http::RequestHead& head, std::string_view path,
                   std::uint64_t random) {
  const model::RouteMatch& match = route.match;
  if (match.runtime_fraction_per_million < 1'000'000 && random % 1'000'000 >= match.runtime_fraction_per_million) {
    return false;
  }
  return path_matches(match.path, head, path) &&
         std::ranges::all_of(match.headers,
                             [&](const model::HeaderMatch& header) { return header_matches(header, head); }) &&
         std::ranges::all_of(match.query_parameters, [&](const model::QueryParameterMatch& parameter) {
           return query_matches(parameter, head.path);
         });
}

}  // namespace

std::string_view path_only(std::string_view path) {  // find_first_of calls a function for each character
  std::size_t size = 0;
  while (size < path.size() && path[size] != '?' && path[size] != '#') {
    ++size;
  }
  return path.substr(0, size);
}

RouteTable::RouteTable(std::shared_ptr<const model::RouteConfiguration> configuration)
    : configuration_(std::move(configuration)) {
  for (std::uint32_t i = 0; i < configuration_->virtual_hosts.size(); ++i) {
    for (const std::string& domain : configuration_->virtual_hosts[i].domains) {
      domains_.add(domain, i);
    }
  }
}

bool RouteTable::matches(const model::Route& route, const http::RequestHead& head, std::uint64_t random) {
  return route_matches(route, head, path_only(head.path), random);
}

Match RouteTable::match(const http::RequestHead& head, std::uint64_t random) const {
  const std::uint32_t index = domains_.find(head.authority);
  if (index == DomainTable::kNone) {
    return {};
  }
  const model::VirtualHost& host = configuration_->virtual_hosts[index];
  const std::string_view path = path_only(head.path);
  for (const model::Route& route : host.routes) {
    if (route_matches(route, head, path, random)) {
      return {&host, &route};
    }
  }
  return {&host, nullptr};
}

}  // namespace remora::routing
