#include "core/config/yaml_scalar.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace remora::config {
namespace {

constexpr std::size_t kLongestShown = 80;

std::optional<bool> bool_word(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kTrue = {"y", "yes", "true", "on"};
  static constexpr std::array<std::string_view, 4> kFalse = {"n", "no", "false", "off"};
  // "yes", "Yes" and "YES" are words; "yEs" is not.
  std::string lower(text);
  bool any_lower = false;
  bool any_upper_after_first = false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    char& c = lower[i];
    if (c >= 'A' && c <= 'Z') {
      any_upper_after_first = any_upper_after_first || i > 0;
      c = static_cast<char>(c + 32);
    } else {
      any_lower = true;
    }
  }
  if (any_lower && any_upper_after_first) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kTrue.size(); ++i) {
    if (lower == kTrue[i]) {
      return true;
    }
    if (lower == kFalse[i]) {
      return false;
    }
  }
  return std::nullopt;
}

template <typename Integer>
std::optional<Integer> whole(std::string_view text) {
  int base = 10;
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.starts_with("0o")) {
    base = 8;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0' && text.find_first_not_of("01234567") == std::string_view::npos) {
    base = 8;  // as yaml-cpp reads it for Envoy
  }
  Integer result{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), result, base);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return result;
}

std::optional<double> real(std::string_view text) {
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == "+.inf") {
    return std::numeric_limits<double>::infinity();
  }
  if (text == "-.inf" || text == "-.Inf" || text == "-.INF") {
    return -std::numeric_limits<double>::infinity();
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return std::nullopt;  // from_chars knows more words than YAML
  }
  double result = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return result;
}

template <typename Integer>
std::optional<Integer> integer(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar) {
    return std::nullopt;
  }
  if (const auto result = whole<Integer>(node.text)) {
    return result;
  }
  const auto number = real(node.text);
  // 2^63 and 2^64 are exact as doubles: below them the cast is defined.
  constexpr double kEnd = std::is_signed_v<Integer> ? 9223372036854775808.0 : 18446744073709551616.0;
  constexpr double kBegin = std::is_signed_v<Integer> ? -9223372036854775808.0 : 0.0;
  if (number && std::trunc(*number) == *number && *number >= kBegin && *number < kEnd) {
    return static_cast<Integer>(*number);
  }
  return std::nullopt;
}

}  // namespace

ScalarKind scalar_kind(const YamlNode& node) {
  if (node.quoted) {
    return ScalarKind::string;
  }
  if (bool_word(node.text)) {
    return ScalarKind::boolean;
  }
  if (whole<std::int64_t>(node.text) || whole<std::uint64_t>(node.text) || real(node.text)) {
    return ScalarKind::number;
  }
  return ScalarKind::string;
}

std::optional<bool> as_bool(const YamlNode& node) {
  return node.kind == YamlNode::Kind::scalar && !node.quoted ? bool_word(node.text) : std::nullopt;
}

std::optional<double> as_double(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar) {
    return std::nullopt;
  }
  if (node.quoted) {
    if (node.text == "NaN") {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (node.text == "Infinity" || node.text == "-Infinity") {
      const double infinity = std::numeric_limits<double>::infinity();
      return node.text.front() == '-' ? -infinity : infinity;
    }
  }
  if (const auto number = whole<std::int64_t>(node.text)) {
    return static_cast<double>(*number);
  }
  return real(node.text);
}

std::optional<std::int64_t> as_int64(const YamlNode& node) { return integer<std::int64_t>(node); }
std::optional<std::uint64_t> as_uint64(const YamlNode& node) { return integer<std::uint64_t>(node); }

std::optional<std::string> as_bytes(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar) {
    return std::nullopt;
  }
  std::string_view text = node.text;
  while (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  std::string result;
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0') + 52;
    } else if (c == '+' || c == '-') {
      value = 62;
    } else if (c == '/' || c == '_') {
      value = 63;
    } else {
      return std::nullopt;
    }
    bits = (bits << 6 | value) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      result += static_cast<char>(bits >> count & 0xff);
    }
  }
  return text.size() % 4 == 1 ? std::nullopt : std::optional(result);
}

std::optional<DurationParts> as_duration(const YamlNode& node) {
  constexpr std::int64_t kMaxSeconds = 315'576'000'000;  // protobuf's: ten thousand years
  if (node.kind != YamlNode::Kind::scalar || !node.text.ends_with('s')) {
    return std::nullopt;
  }
  std::string_view text(node.text);
  text.remove_suffix(1);
  const bool negative = text.starts_with('-');
  if (negative) {
    text.remove_prefix(1);
  }
  const std::size_t point = text.find('.');
  const std::string_view seconds = text.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  const auto digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!digits(seconds) || (point != std::string_view::npos && (!digits(fraction) || fraction.size() > 9))) {
    return std::nullopt;
  }
  DurationParts result;
  const auto [end, failure] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), result.seconds);
  if (failure != std::errc() || result.seconds > kMaxSeconds) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < 9; ++i) {
    result.nanos = result.nanos * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  }
  if (negative) {
    result.seconds = -result.seconds;
    result.nanos = -result.nanos;
  }
  return result;
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
    case YamlNode::Kind::scalar:
      break;
  }
  std::string text = node.text.substr(0, kLongestShown);
  if (text.size() < node.text.size()) {
    text += "...";
  }
  if (node.quoted) {
    return fmt::format("the text '{}'", text);
  }
  switch (scalar_kind(node)) {
    case ScalarKind::boolean:
      return fmt::format("the boolean {}", text);
    case ScalarKind::number:
      return fmt::format("the number {}", text);
    case ScalarKind::string:
      break;
  }
  return fmt::format("'{}'", text);
}

}  // namespace remora::config
