// Where a request goes: the four forms of an HTTP/1 request target (RFC 9112 section 3.2) and what an authority may
// look like. Pure functions; any thread.
#pragma once

#include <string_view>

#include "core/http/codec.h"
#include "core/http/message.h"

namespace remora::http {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Does `text` say `lower_case`, in any case?
inline bool equals_lower(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_case[i]) {
      return false;
    }
  }
  return true;
}

// Fills path, authority and scheme of `head`, whose method is set. Returns what is wrong, or null. REQUIRES: llhttp
// accepted the target, so it is not empty and holds no control characters.
const ProtocolError* read_request_target(std::string_view target, const CodecLimits& limits, RequestHead& head);

// Is `authority` a host, or host:port, without userinfo? The empty one is valid.
bool is_valid_authority(std::string_view authority);

}  // namespace remora::http
