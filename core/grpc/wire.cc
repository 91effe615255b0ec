#include "core/grpc/wire.h"

#include <array>
#include <charconv>
#include <limits>

namespace remora::grpc {
namespace {

constexpr std::array<std::string_view, 17> kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

constexpr std::string_view kHex = "0123456789ABCDEF";

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct Unit {
  char name;
  Nanoseconds length;
};
constexpr std::array<Unit, 6> kUnits = {{{'n', Nanoseconds(1)},
                                         {'u', Microseconds(1)},
                                         {'m', Milliseconds(1)},
                                         {'S', Seconds(1)},
                                         {'M', std::chrono::minutes(1)},
                                         {'H', std::chrono::hours(1)}}};
constexpr std::int64_t kMostDigits = 99'999'999;

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string_view code_name(Code code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodes.size() ? kCodes.at(index) : "UNKNOWN";
}

Code parse_code(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value < kCodes.size() ? static_cast<Code>(value) : Code::unknown;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string format_timeout(Nanoseconds timeout) {
  const std::int64_t total = timeout.count() < 0 ? 0 : timeout.count();
  for (const Unit& unit : kUnits) {
    const std::int64_t length = unit.length.count();
    const std::int64_t count = total / length + (total % length != 0 ? 1 : 0);
    if (count <= kMostDigits) {
      return std::to_string(count) + unit.name;
    }
  }
  return std::to_string(kMostDigits) + 'H';
}

std::optional<Nanoseconds> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) {
    return {};
  }
  std::int64_t count = 0;
  const char* digits_end = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data(), digits_end, count);
  if (error != std::errc() || end != digits_end || count < 0) {
    return {};
  }
  for (const Unit& unit : kUnits) {
    if (unit.name == text.back()) {
      const std::int64_t length = unit.length.count();
      const bool fits = count <= std::numeric_limits<std::int64_t>::max() / length;
      return fits ? Nanoseconds(count * length) : Nanoseconds::max();
    }
  }
  return {};
}

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const auto byte = [&](std::size_t k) { return k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U; };
    const std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kBase64[group >> 18 & 63];
    out += kBase64[group >> 12 & 63];
    if (left > 1) {
      out += kBase64[group >> 6 & 63];
    }
    if (left > 2) {
      out += kBase64[group & 63];
    }
  }
  return out;  // unpadded, as gRPC prefers
}

std::optional<std::string> base64_decode(std::string_view text) {
  while (!text.empty() && text.back() == '=') {
    text.remove_suffix(1);
  }
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const std::size_t value = kBase64.find(c);
    if (value == std::string_view::npos) {
      return {};
    }
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  return held == 6 ? std::nullopt : std::optional(std::move(out));
}

Code code_of_http_status(int status) {
  switch (status) {
    case 400:
      return Code::internal;
    case 401:
      return Code::unauthenticated;
    case 403:
      return Code::permission_denied;
    case 404:
      return Code::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code::unavailable;
    default:
      return Code::unknown;
  }
}

Code code_of_http2_error(std::uint32_t error) {
  switch (error) {
    case 7:  // REFUSED_STREAM
      return Code::unavailable;
    case 8:  // CANCEL
      return Code::cancelled;
    case 11:  // ENHANCE_YOUR_CALM
      return Code::resource_exhausted;
    case 12:  // INADEQUATE_SECURITY
      return Code::permission_denied;
    default:
      return Code::internal;
  }
}

bool is_binary(std::string_view metadata_name) { return metadata_name.ends_with("-bin"); }

bool is_grpc_content_type(std::string_view value) {
  constexpr std::string_view kType = "application/grpc";
  if (!value.starts_with(kType)) {
    return false;
  }
  return value.size() == kType.size() || value[kType.size()] == '+' || value[kType.size()] == ';';
}

bool is_reserved(std::string_view name) {
  return name.starts_with(':') || name.starts_with("grpc-") || name == "te" || name == "content-type" ||
         name == "user-agent" || name == "host";
}

}  // namespace remora::grpc
