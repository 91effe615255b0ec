#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "proxy/xds/readers.h"

namespace remora::xds {

Milliseconds read_duration(const Scope& scope, const pb::Duration& duration, Sign sign) {
  constexpr std::int64_t kMaxSeconds = 1'000'000'000;  // thirty years: sums of two still fit everywhere
  if (duration.seconds() < 0 || duration.nanos() < 0) {
    scope.error("a duration must not be negative");
    return Milliseconds(0);
  }
  if (duration.seconds() > kMaxSeconds) {
    scope.error(fmt::format("a duration must not be longer than {}s", kMaxSeconds));
    return Milliseconds(0);
  }
  const Milliseconds result(duration.seconds() * 1000 + (duration.nanos() + 999'999) / 1'000'000);
  if (sign == Sign::positive && result.count() == 0) {
    scope.error("a duration longer than 0s is required");
  }
  return result;
}

std::string read_data_source(const Scope& scope, const core_v3::DataSource& source) {
  switch (source.specifier_case()) {
    case core_v3::DataSource::kInlineString:
      return source.inline_string();
    case core_v3::DataSource::kInlineBytes:
      return source.inline_bytes();
    case core_v3::DataSource::kFilename: {
      std::ifstream file(source.filename(), std::ios::binary);
      std::ostringstream text;
      if (!file || !(text << file.rdbuf())) {
        scope.error("filename", fmt::format("the file '{}' cannot be read", source.filename()));
      }
      return text.str();
    }
    case core_v3::DataSource::kEnvironmentVariable: {
      const char* value = std::getenv(source.environment_variable().c_str());
      if (value == nullptr) {
        scope.error("environment_variable", fmt::format("'{}' is not set", source.environment_variable()));
      }
      return value == nullptr ? std::string() : std::string(value);
    }
    case core_v3::DataSource::SPECIFIER_NOT_SET:
      break;
  }
  scope.error("one of filename, inline_bytes, inline_string, environment_variable is required");
  return {};
}

Address read_address(const Scope& scope, const core_v3::Address& address) {
  const auto take = [](const Scope& at, std::string_view name, Result<Address> result) {
    if (!result) {
      at.error(name, result.error().message);
    }
    return result.value_or(Address());
  };
  if (address.has_pipe()) {
    const Scope pipe = scope.field("pipe");
    return take(pipe, "path", Address::unix_path(address.pipe().path()));
  }
  if (!address.has_socket_address()) {
    scope.error("one of socket_address and pipe is required");
    return {};
  }
  const Scope at = scope.field("socket_address");
  const core_v3::SocketAddress& socket = address.socket_address();
  if (socket.port_value() > 65535) {
    at.error("port_value", fmt::format("a port is at most 65535, not {}", socket.port_value()));
    return {};
  }
  return take(at, "address", Address::parse(socket.address(), static_cast<std::uint16_t>(socket.port_value())));
}

std::uint32_t per_million(const type_v3::FractionalPercent& percent) {
  std::uint64_t result = percent.numerator();
  if (percent.denominator() == type_v3::FractionalPercent::HUNDRED) {
    result *= 10'000;
  } else if (percent.denominator() == type_v3::FractionalPercent::TEN_THOUSAND) {
    result *= 100;
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(result, 1'000'000));
}

model::Format read_format(const Scope& scope, const std::string& text) {
  Result<model::Format> format = model::Format::parse(text);
  if (!format) {
    scope.error(format.error().message);
    return {};
  }
  return std::move(*format);
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

std::string read_header_name(const Scope& scope, const std::string& name) {
  std::string_view rest(name);
  if (rest.starts_with(':')) {
    rest.remove_prefix(1);
  }
  const bool token = !rest.empty() && std::ranges::all_of(rest, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
  if (!token) {
    scope.error(name.empty() ? std::string("a header's name is required")
                             : fmt::format("'{}' is not the name of a header", name));
  }
  return lower_case(name);
}

void check_header_value(const Scope& scope, const std::string& value) {
  if (std::ranges::any_of(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; })) {
    scope.error("a header's value holds no CR, LF or NUL");
  }
}

void require(const Scope& scope, std::string_view name, const std::string& text) {
  if (text.empty()) {
    scope.error(name, "is required, and not empty");
  }
}

void check_range(const Scope& scope, double value, double least, double most) {
  if (!(value >= least && value <= most)) {
    scope.error(fmt::format("must be from {} to {}, not {}", least, most, value));
  }
}

std::string any_type_name(const pb::Any& any) { return any.type_url().substr(any.type_url().rfind('/') + 1); }

bool unpack_any(const pb::Any& any, pb::Message& into) {
  return any_type_name(any) == into.GetDescriptor()->full_name() && into.ParseFromString(any.value());
}

}  // namespace remora::xds
