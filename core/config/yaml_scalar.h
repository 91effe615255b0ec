// What a YAML scalar means: the kinds that Envoy's YAML reader tells apart, and the conversions of proto JSON. Pure
// functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/config/yaml_tree.h"

namespace remora::config {

enum class ScalarKind : std::uint8_t { boolean, number, string };
ScalarKind scalar_kind(const YamlNode& node);

std::optional<bool> as_bool(const YamlNode& node);           // unquoted: true, false, yes, no, on, off, y, n
std::optional<double> as_double(const YamlNode& node);       // a number, also in quotes
std::optional<std::int64_t> as_int64(const YamlNode& node);  // whole, also "1e3" and "5.0", also in quotes
std::optional<std::uint64_t> as_uint64(const YamlNode& node);
std::optional<std::string> as_bytes(const YamlNode& node);  // base64, either alphabet

struct DurationParts {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};
std::optional<DurationParts> as_duration(const YamlNode& node);  // "1.5s"

// How an error speaks of it: 'abc', the number 5, a list, a mapping, nothing.
std::string describe(const YamlNode& node);

}  // namespace remora::config
