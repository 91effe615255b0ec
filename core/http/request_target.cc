#include "core/http/request_target.h"

#include <array>
#include <cstring>

namespace remora::http {
namespace {

constexpr ProtocolError kTarget{400, "http1.invalid_url", "a request target that its method cannot have"};
constexpr ProtocolError kFragment{400, "path_normalization_failed", "a fragment (#) in the request target"};
constexpr ProtocolError kScheme{400, "http1.invalid_scheme", "an absolute target that is neither http nor https"};
constexpr ProtocolError kAbsolute{400, "absolute_path_rejected", "an absolute target, which is not accepted here"};
constexpr ProtocolError kBadHost{400, "http1.codec_error",
                                 "a Host or authority that is no host name, with or without a port"};

// Characters of RFC 3986's reg-name and of IP literals: unreserved, sub-delims, percent.
constexpr auto make_host_characters() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) {
    table[c] = true;
  }
  for (int c = 'a'; c <= 'z'; ++c) {
    table[c] = table[c - 'a' + 'A'] = true;
  }
  for (const char c : std::string_view("-._~!$&'()*+;=%")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
constexpr auto kHostCharacters = make_host_characters();

bool is_port(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return false;
    }
  }
  return text.size() <= 5;
}

}  // namespace

bool is_valid_authority(std::string_view authority) {
  if (authority.starts_with('[')) {  // an IP literal
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos || close < 3) {
      return false;
    }
    for (const char c : authority.substr(1, close - 1)) {
      if (c != ':' && !kHostCharacters[static_cast<unsigned char>(c)]) {
        return false;
      }
    }
    const std::string_view rest = authority.substr(close + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  for (std::size_t i = 0; i < authority.size(); ++i) {
    if (!kHostCharacters[static_cast<unsigned char>(authority[i])]) {
      return authority[i] == ':' && i > 0 && is_port(authority.substr(i + 1));
    }
  }
  return true;
}

const ProtocolError* read_request_target(std::string_view target, const CodecLimits& limits, RequestHead& head) {
  if (std::memchr(target.data(), '#', target.size()) != nullptr) {
    return &kFragment;
  }
  if (head.method_id == Method::connect) {
    head.authority = target;
    const std::size_t colon = target.rfind(':');
    const bool has_port = colon != std::string_view::npos && colon + 1 < target.size() && colon > 0;
    return has_port && is_valid_authority(target) ? nullptr : &kTarget;
  }
  if (target.front() == '/') {
    head.path = target;
    return nullptr;
  }
  if (target == "*") {
    head.path = target;
    return head.method_id == Method::options ? nullptr : &kTarget;
  }
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) {
    return &kTarget;
  }
  if (!limits.absolute_form) {
    return &kAbsolute;
  }
  const std::string_view scheme = target.substr(0, colon);
  if (!equals_lower(scheme, "http") && !equals_lower(scheme, "https")) {
    return &kScheme;
  }
  head.scheme = scheme.size() == 4 ? "http" : "https";
  head.has_scheme = true;
  const std::string_view rest = target.substr(colon + 3);
  const std::size_t slash = rest.find_first_of("/?");
  head.authority = rest.substr(0, slash);
  if (slash == std::string_view::npos) {
    head.path = "/";
  } else if (rest[slash] == '?') {
    head.path = head.headers.arena().concat("/", rest.substr(slash));
  } else {
    head.path = rest.substr(slash);
  }
  return head.authority.empty() || !is_valid_authority(head.authority) ? &kBadHost : nullptr;
}

}  // namespace remora::http
