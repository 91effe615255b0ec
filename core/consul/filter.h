// Filter: Consul's filter language ("bexpr"): `Service.Meta.version == 2 and "v1" in Service.Tags`. Parsed once, then
// asked about values. What Consul refuses is refused here, with the place and what could have stood there; beyond
// Consul 1.20 a selector may be a JSON pointer ("/Service/Meta/version"), as newer ones take. Values; any thread.
// Sources: Consul's filtering documentation; the grammar of hashicorp/go-bexpr 0.1.2, which Consul 1.20 holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/consul/selectable.h"

namespace remora::consul {

struct FilterError {
  std::size_t position = 0;  // in the text, from 0, in bytes
  std::string message;       // "expected '==', '!=', ..."

  // "filter 'a = b', column 3, at '= b': expected ..."
  std::string to_string(std::string_view filter) const;
};

enum class FilterOperator : std::uint8_t { equal, not_equal, in, not_in, is_empty, is_not_empty, matches, not_matches };

struct FilterNode;  // filter_node.h

class Filter {
 public:
  static constexpr std::size_t kMaxDepth = 200;          // of parentheses and `not`
  static constexpr std::size_t kMaxLength = 64 * 1024;   // of the text
  static constexpr std::size_t kMaxSelectorDepth = 100;  // steps

  // Matches everything.
  Filter() = default;
  // Empty text matches everything.
  static std::expected<Filter, FilterError> parse(std::string_view text);
  // The same, and judges selectors, operators and values by what the values will look like.
  static std::expected<Filter, FilterError> parse(std::string_view text, const Schema& schema);

  // A selector that the value does not have matches nothing: `parse` with a schema finds those before.
  bool matches(const Selectable& value) const;

  bool matches_all() const { return root_ == nullptr; }
  const std::string& text() const { return text_; }
  // Does any selector have this step ("Output")?
  bool mentions(std::string_view step) const;

  friend bool operator==(const Filter& a, const Filter& b) { return a.text_ == b.text_; }

 private:
  std::string text_;
  std::shared_ptr<const FilterNode> root_;
};

}  // namespace remora::consul
