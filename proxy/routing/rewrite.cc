#include "proxy/routing/rewrite.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "proxy/routing/ascii.h"
#include "proxy/routing/route_table.h"

namespace remora::routing {
namespace {

// The part of the path that the route matched, which prefix_rewrite replaces.
std::size_t matched_length(const model::PathMatch& match, std::string_view path) {
  switch (match.kind) {
    case model::PathMatch::Kind::prefix:
    case model::PathMatch::Kind::path:
    case model::PathMatch::Kind::path_separated_prefix:
      return std::min(match.text.size(), path.size());
    case model::PathMatch::Kind::regex:
    case model::PathMatch::Kind::connect:
      return path_only(path).size();
  }
  return 0;
}

std::optional<std::string_view> rewrite(const model::PathMatch& match, std::string_view prefix_rewrite,
                                        const std::optional<model::Regex>& regex, const std::string& substitution,
                                        std::string_view path, Arena& arena) {
  if (path.empty()) {
    return std::nullopt;  // CONNECT
  }
  if (!prefix_rewrite.empty()) {
    return arena.concat(prefix_rewrite, path.substr(matched_length(match, path)));
  }
  if (regex) {
    const std::string_view only = path_only(path);
    const std::string text = regex->replace_all(only, substitution);
    if (text.empty()) {
      return std::nullopt;  // as Envoy: a rewrite to nothing is no rewrite
    }
    return arena.concat(text, path.substr(only.size()));
  }
  return std::nullopt;
}

// Where ":port" begins in an authority; npos: it has none. An IPv6 literal's own colons stand inside brackets.
std::size_t port_start(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) {
    return colon;
  }
  const std::size_t bracket = authority.rfind(']');
  return bracket != std::string_view::npos && bracket > colon ? std::string_view::npos : colon;
}

// The request's host for a Location, without a port that the new scheme or port makes wrong.
std::string_view redirect_host(const http::RequestHead& head, std::string_view old_scheme, std::string_view new_scheme,
                               bool new_port) {
  const std::string_view authority = head.authority;
  const std::size_t colon = port_start(authority);
  if (colon == std::string_view::npos) {
    return authority;
  }
  const std::string_view port = authority.substr(colon);
  const std::string_view forwarded = head.headers.value(http::HeaderId::x_forwarded_proto);
  const std::string_view protocol = forwarded.empty() ? old_scheme : forwarded;
  bool strip = new_port;
  if (new_scheme != protocol) {
    strip |= equal_ignoring_case(protocol, "https") && port == ":443";
    strip |= equal_ignoring_case(protocol, "http") && port == ":80";
  }
  return strip ? authority.substr(0, colon) : authority;
}

}  // namespace

std::optional<std::string_view> rewrite_path(const model::Route& route, const model::RouteAction& action,
                                             std::string_view path, Arena& arena) {
  return rewrite(route.match.path, action.prefix_rewrite, action.regex_rewrite, action.regex_rewrite_substitution, path,
                 arena);
}

std::optional<std::string_view> rewrite_host(const model::RouteAction& action, const model::WeightedCluster* weighted,
                                             const http::RequestHead& head, std::string_view endpoint_hostname) {
  if (weighted != nullptr && !weighted->host_rewrite_literal.empty()) {
    return weighted->host_rewrite_literal;
  }
  if (!action.host_rewrite_literal.empty()) {
    return action.host_rewrite_literal;
  }
  if (!action.host_rewrite_header.empty()) {
    const http::Header* header = head.headers.find(action.host_rewrite_header);
    return header == nullptr || header->value.empty() ? std::nullopt : std::optional(header->value);
  }
  if (action.auto_host_rewrite && !endpoint_hostname.empty()) {
    return endpoint_hostname;
  }
  return std::nullopt;
}

std::string_view redirect_location(const model::Route& route, const model::RedirectAction& action,
                                   const http::RequestHead& head, std::string_view scheme, Arena& arena) {
  const std::string_view new_scheme = !action.scheme_redirect.empty() ? std::string_view(action.scheme_redirect)
                                      : action.https_redirect         ? std::string_view("https")
                                                                      : scheme;
  std::string_view port;
  std::array<char, 12> digits{};
  if (action.port_redirect != 0) {
    digits[0] = ':';
    const auto [end, error] = std::to_chars(digits.data() + 1, digits.data() + digits.size(), action.port_redirect);
    port = {digits.data(), static_cast<std::size_t>(end - digits.data())};
  }
  const std::string_view host = !action.host_redirect.empty() ? std::string_view(action.host_redirect)
                                                              : redirect_host(head, scheme, new_scheme, !port.empty());

  std::string_view path = head.path;
  const bool own_query = action.path_redirect.find('?') != std::string::npos;
  if (!action.path_redirect.empty()) {
    const std::size_t question = path.find('?');
    path = own_query || question == std::string_view::npos ? std::string_view(action.path_redirect)
                                                           : arena.concat(action.path_redirect, path.substr(question));
  } else if (const auto changed = rewrite(route.match.path, action.prefix_rewrite, action.regex_rewrite,
                                          action.regex_rewrite_substitution, path, arena)) {
    path = *changed;
  }
  if (action.strip_query && !own_query) {
    path = path.substr(0, path.find('?'));
  }
  return arena.concat(new_scheme, "://", host, port, path.starts_with('/') ? "" : "/", path);
}

}  // namespace remora::routing
