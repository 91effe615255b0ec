#include "control/catalog/fields.h"

#include <fmt/format.h>

#include <cmath>

#include "control/catalog/go_duration.h"
#include "core/base/nearest.h"
#include "core/config/yaml_scalar.h"

namespace remora::catalog {

using config::YamlNode;

void read_value(const At& at, std::string& into, const Limits&) {
  if (at.node().kind != YamlNode::Kind::scalar) {
    at.expected("text");
    return;
  }
  into = at.node().text;
}

void read_value(const At& at, bool& into, const Limits&) {
  if (const auto value = config::as_bool(at.node())) {
    into = *value;
  } else {
    at.expected("true or false");
  }
}

void read_value(const At& at, double& into, const Limits& limits) {
  const auto value = config::as_double(at.node());
  const bool bounded = limits.most != std::numeric_limits<std::int64_t>::max();
  if (value && std::isfinite(*value) && *value >= static_cast<double>(limits.least) &&
      (!bounded || *value <= static_cast<double>(limits.most))) {
    into = *value;
  } else {
    at.expected(bounded ? fmt::format("a number from {} to {}", limits.least, limits.most)
                        : fmt::format("a number of at least {}", limits.least));
  }
}

bool read_whole(const At& at, std::int64_t least, std::int64_t most, std::int64_t& into) {
  const auto value = config::as_int64(at.node());
  if (value && *value >= least && *value <= most) {
    into = *value;
    return true;
  }
  at.expected(most >= std::numeric_limits<std::uint32_t>::max()
                  ? fmt::format("a whole number of at least {}", least)
                  : fmt::format("a whole number from {} to {}", least, most));
  return false;
}

void read_value(const At& at, Nanoseconds& into, const Limits& limits) {
  const YamlNode& node = at.node();
  if (node.kind == YamlNode::Kind::scalar && at.from_consul()) {
    if (node.text.empty()) {  // Consul's zero
      return;
    }
    if (!node.quoted) {  // Go's own encoding of a time.Duration
      if (const auto count = config::as_int64(node)) {
        into = Nanoseconds(*count);
        return;
      }
    }
  }
  const auto value = node.kind == YamlNode::Kind::scalar ? parse_go_duration(node.text) : std::nullopt;
  if (!value) {
    const bool bare = node.kind == YamlNode::Kind::scalar && config::as_double(node).has_value();
    at.expected(bare ? "a duration with its unit, such as 5s, 250ms or 1m30s"
                     : "a duration such as 5s, 250ms or 1m30s");
  } else if (value->count() < limits.least) {
    at.expected("a duration that is not negative");
  } else {
    into = *value;
  }
}

void read_duration(const At& at, std::optional<Nanoseconds>& into, const Limits& limits) {
  Nanoseconds value{0};
  read_value(at, value, limits);
  if (value.count() != 0) {
    into = value;
  }
}

void read_milliseconds(const At& at, std::optional<Nanoseconds>& into, bool zero_is_unset) {
  constexpr std::int64_t kYear = 366LL * 24 * 3600 * 1000;
  std::int64_t value = 0;
  if (!read_whole(at, at.from_consul() ? std::numeric_limits<std::int64_t>::min() : 0, kYear, value)) {
    return;
  }
  if (value > 0 || !zero_is_unset) {
    into = Milliseconds(std::max<std::int64_t>(value, 0));
  }
}

std::optional<std::size_t> read_word(const At& at, std::span<const std::string_view> words) {
  if (at.node().kind == YamlNode::Kind::scalar) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] == at.node().text) {
        return i;
      }
    }
  }
  std::vector<std::string_view> shown;
  for (std::string_view word : words) {
    if (!word.empty()) {
      shown.push_back(word);
    }
  }
  const std::string near =
      at.node().kind == YamlNode::Kind::scalar ? did_you_mean(at.node().text, shown) : std::string();
  at.error(fmt::format("expected one of {}, not {}{}", fmt::join(shown, ", "), config::describe(at.node()), near));
  return std::nullopt;
}

bool is_list(const At& at) {
  if (at.node().kind != YamlNode::Kind::sequence) {
    at.expected("a list");
    return false;
  }
  return true;
}

bool is_mapping(const At& at) {
  if (at.node().kind != YamlNode::Kind::mapping) {
    at.expected("a mapping of names to values");
    return false;
  }
  return true;
}

}  // namespace remora::catalog
