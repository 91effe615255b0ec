// FilterNode: a parsed filter's tree. Owned by its Filter, immutable once parsed; any thread.
#pragma once

#include <re2/re2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/consul/filter.h"

namespace remora::consul {

struct FilterNode {
  enum class Kind : std::uint8_t { both, either, negation, match };
  Kind kind = Kind::match;
  std::unique_ptr<FilterNode> left;  // negation: its operand
  std::unique_ptr<FilterNode> right;

  // match
  std::vector<std::string> selector;
  std::size_t selector_position = 0;
  FilterOperator op = FilterOperator::equal;
  std::size_t op_position = 0;
  std::string value;  // as text
  std::size_t value_position = 0;
  std::optional<std::int64_t> integer;  // the value as Go's strconv.ParseInt(value, 0, 0) reads it
  std::optional<bool> boolean;          // as strconv.ParseBool
  std::unique_ptr<re2::RE2> expression;
};

inline bool needs_value(FilterOperator op) {
  return op != FilterOperator::is_empty && op != FilterOperator::is_not_empty;
}

// The text as a tree; null: empty text.
std::expected<std::unique_ptr<FilterNode>, FilterError> parse_filter(std::string_view text);
// What is wrong with it for values of this shape.
std::optional<FilterError> check_filter(const FilterNode& node, const Schema& schema);

}  // namespace remora::consul
