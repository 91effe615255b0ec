#include "proxy/routing/hash_policy.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

#include "core/base/hash.h"
#include "proxy/routing/query.h"

namespace remora::routing {
namespace {

using model::HashPolicy;

constexpr std::size_t kMaxValues = 16;  // of one header; more are not looked at

std::string_view pseudo_header(const http::RequestHead& head, std::string_view name) {
  return name == ":path"                          ? head.path
         : name == ":authority" || name == "host" ? head.authority
         : name == ":method"                      ? head.method
         : name == ":scheme"                      ? head.scheme
                                                  : std::string_view();
}

// Of all values, whatever their order.
std::optional<std::uint64_t> hash_header(const HashPolicy& policy, const http::RequestHead& head) {
  std::array<std::string_view, kMaxValues> values;
  std::size_t count = 0;
  if (policy.name.starts_with(':') || policy.name == "host") {
    const std::string_view value = pseudo_header(head, policy.name);
    count = value.empty() ? 0 : 1;
    values[0] = value;
  } else {
    for (const http::Header& header : head.headers.all()) {
      if (header.name == policy.name && count < kMaxValues) {
        values[count++] = header.value;
      }
    }
  }
  if (count == 0) {
    return std::nullopt;
  }
  std::array<std::string, kMaxValues> rewritten;
  if (policy.regex_rewrite) {
    for (std::size_t i = 0; i < count; ++i) {
      rewritten[i] = policy.regex_rewrite->replace_all(values[i], policy.regex_rewrite_substitution);
      values[i] = rewritten[i];
    }
  }
  std::sort(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
  std::uint64_t hash = 0;
  for (const std::string_view value : std::span(values).first(count)) {
    hash = xx_hash64(value, hash);
  }
  return hash;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Without the quotes around it; empty when there is no such cookie.
std::string_view cookie_value(const http::HeaderList& headers, std::string_view name) {
  for (const http::Header& header : headers.all()) {
    if (header.id != http::HeaderId::cookie) {
      continue;
    }
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      const std::string_view pair = trimmed(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != name) {
        continue;
      }
      std::string_view value = pair.substr(equals + 1);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      return value;
    }
  }
  return {};
}

std::string_view hex(std::uint64_t value, Arena& arena) {
  std::array<char, 16> text;
  for (std::size_t i = text.size(); i-- > 0; value >>= 4) {
    text[i] = "0123456789abcdef"[value & 15];
  }
  return arena.copy({text.data(), text.size()});
}

std::optional<std::uint64_t> hash_cookie(const HashPolicy& policy, const http::RequestHead& head,
                                         const HashSource& source, RequestHash& result) {
  std::string_view value = cookie_value(head.headers, policy.name);
  if (value.empty() && policy.cookie_ttl) {
    // The same for all requests of one connection, as in Envoy.
    Arena& arena = head.headers.arena();
    value = hex(xx_hash64(arena.concat(source.remote, source.local)), arena);
    result.new_cookie = &policy;
    result.new_cookie_value = value;
  }
  return value.empty() ? std::nullopt : std::optional(xx_hash64(value));
}

std::optional<std::uint64_t> hash_one(const HashPolicy& policy, const http::RequestHead& head, const HashSource& source,
                                      RequestHash& result) {
  switch (policy.kind) {
    case HashPolicy::Kind::header:
      return hash_header(policy, head);
    case HashPolicy::Kind::cookie:
      return hash_cookie(policy, head, source, result);
    case HashPolicy::Kind::source_ip:
      return source.client_ip.empty() ? std::nullopt : std::optional(xx_hash64(source.client_ip));
    case HashPolicy::Kind::query_parameter:
      if (const auto value = query_value(head.path, policy.name)) {
        return xx_hash64(*value);
      }
      break;
  }
  return std::nullopt;
}

}  // namespace

RequestHash hash_request(const std::vector<HashPolicy>& policies, const http::RequestHead& head,
                         const HashSource& source) {
  RequestHash result;
  for (const HashPolicy& policy : policies) {
    if (const auto one = hash_one(policy, head, source, result)) {
      // Rotated, so that two policies that give the same do not cancel each other out.
      const std::uint64_t before = result.hash.value_or(0);
      result.hash = ((before << 1) | (before >> 63)) ^ *one;
    }
    if (policy.terminal && result.hash) {
      break;
    }
  }
  return result;
}

std::string_view set_cookie_value(const HashPolicy& cookie, std::string_view value, Arena& arena) {
  std::string_view text = arena.concat(cookie.name, "=\"", value, "\"");
  if (cookie.cookie_ttl->count() > 0) {
    text = arena.concat(text, "; Max-Age=", arena.decimal(static_cast<std::uint64_t>(cookie.cookie_ttl->count())));
  }
  if (!cookie.cookie_path.empty()) {
    text = arena.concat(text, "; Path=", cookie.cookie_path);
  }
  return arena.concat(text, "; HttpOnly");
}

}  // namespace remora::routing
