// JsonValue: one JSON value as a tree, for what a Consul answers. A long list need never be a tree as a whole: its
// items are handed over one by one. Values; any thread. Source: RFC 8259.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace remora::consul {

struct JsonValue {
  static constexpr std::size_t kMaxDepth = 100;
  enum class Kind : std::uint8_t { null, boolean, integer, number, text, list, object };

  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text{};
  std::vector<JsonValue> items{};
  std::vector<std::pair<std::string, JsonValue>> members{};

  const JsonValue* find(std::string_view name) const;
};

// Called with each item of the outermost list, which is then forgotten.
using JsonItem = std::function<void(std::size_t index, const JsonValue& item)>;

// The error says what is wrong, and at which byte. Without `on_item` the value is whole; with it an outermost list has
// no items left.
Result<JsonValue> parse_json(std::string_view text, const JsonItem& on_item = {});

}  // namespace remora::consul
