#include "control/catalog/go_duration.h"

#include <fmt/format.h>
#include <cmath>

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

namespace remora::catalog {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::array kUnits = {Unit{"ns", 1},
                               Unit{"us", 1'000},
                               Unit{"\xC2\xB5s", 1'000},  // micro sign
                               Unit{"\xCE\xBCs", 1'000},  // Greek mu
                               Unit{"ms", 1'000'000},
                               Unit{"s", 1'000'000'000},
                               Unit{"m", 60'000'000'000},
                               Unit{"h", 3'600'000'000'000}};
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::int64_t> unit_named(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) {
      return unit.nanoseconds;
    }
  }
  return std::nullopt;
}

// One "12.5ms" off the front of `text`.
std::optional<std::int64_t> take_part(std::string_view& text) {
  std::size_t at = 0;
  std::int64_t whole = 0;
  while (at < text.size() && is_digit(text[at])) {
    if (whole > (kMost - 9) / 10) {
      return std::nullopt;
    }
    whole = whole * 10 + (text[at++] - '0');
  }
  std::size_t digits = at;
  double fraction = 0;
  if (at < text.size() && text[at] == '.') {
    double scale = 0.1;
    for (++at; at < text.size() && is_digit(text[at]); ++at, ++digits, scale /= 10) {
      fraction += scale * (text[at] - '0');
    }
  }
  const std::size_t unit_at = at;
  while (at < text.size() && text[at] != '.' && !is_digit(text[at])) {
    ++at;
  }
  const auto unit = unit_named(text.substr(unit_at, at - unit_at));
  if (digits == 0 || !unit || whole > kMost / *unit) {
    return std::nullopt;
  }
  text.remove_prefix(at);
  const auto rest = static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(*unit)));
  return whole * *unit > kMost - rest ? std::nullopt : std::optional(whole * *unit + rest);
}

}  // namespace

std::optional<Nanoseconds> parse_go_duration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") {
    return Nanoseconds(0);
  }
  if (text.empty()) {
    return std::nullopt;
  }
  std::int64_t total = 0;
  while (!text.empty()) {
    const auto part = take_part(text);
    if (!part || total > kMost - *part) {
      return std::nullopt;
    }
    total += *part;
  }
  return Nanoseconds(negative ? -total : total);
}

std::string go_duration(Nanoseconds duration) {
  if (duration.count() == 0) {
    return "0s";
  }
  if (duration.count() < 0 && duration != Nanoseconds::min()) {
    return "-" + go_duration(-duration);
  }
  const std::int64_t count = duration.count();
  if (count < 1'000'000'000) {
    const Unit unit = count < 1'000 ? kUnits[0] : count < 1'000'000 ? kUnits[1] : kUnits[4];
    return fmt::format("{}{}", static_cast<double>(count) / static_cast<double>(unit.nanoseconds), unit.name);
  }
  std::string out;
  const std::int64_t hours = count / 3'600'000'000'000;
  const std::int64_t minutes = count / 60'000'000'000 % 60;
  const double seconds = static_cast<double>(count % 60'000'000'000) / 1e9;
  out += hours > 0 ? fmt::format("{}h", hours) : "";
  out += minutes > 0 ? fmt::format("{}m", minutes) : "";
  out += seconds > 0 ? fmt::format("{}s", seconds) : "";
  return out;
}

}  // namespace remora::catalog
