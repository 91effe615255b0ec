#include "core/consul/filter.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/nearest.h"
#include "core/consul/filter_node.h"

namespace remora::consul {
namespace {

using Kind = FilterNode::Kind;

std::string path_of(const std::vector<std::string>& selector, std::size_t steps) {
  std::string path;
  for (std::size_t i = 0; i < steps; ++i) {
    path += (i == 0 ? "" : ".") + selector[i];
  }
  return path;
}

// ---- judging by a schema

const Schema* step_down(const Schema& schema, const std::string& step) {
  if (schema.kind == Schema::Kind::map) {
    return schema.item.data();
  }
  for (const auto& [name, field] : schema.fields) {
    if (name == step) {
      return &field;
    }
  }
  return nullptr;
}

// A list of structures is passed through: a selector speaks of any of its items.
const Schema& through_lists(const Schema& schema) {
  const Schema* at = &schema;
  while (at->kind == Schema::Kind::list && !at->item.empty() && !at->item.front().primitive()) {
    at = at->item.data();
  }
  return *at;
}

std::string names_of(const Schema& schema) {
  std::string names;
  for (const auto& [name, field] : schema.fields) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return names;
}

FilterError unknown_step(const FilterNode& node, std::size_t step, const Schema& parent) {
  if (parent.fields.empty()) {
    return {node.selector_position,
            fmt::format("{} is a value: nothing can be selected below it", path_of(node.selector, step))};
  }
  std::vector<std::string_view> names;
  for (const auto& [name, field] : parent.fields) {
    names.push_back(name);
  }
  return {node.selector_position,
          fmt::format("the selector {} is not known{}; expected one of {}", path_of(node.selector, step + 1),
                      did_you_mean(node.selector[step], names), names_of(parent))};
}

bool takes(const Schema& schema, FilterOperator op) {
  const bool primitive_list = schema.kind == Schema::Kind::list && schema.item.front().primitive();
  switch (op) {
    case FilterOperator::equal:
    case FilterOperator::not_equal:
      return schema.primitive();
    case FilterOperator::in:
    case FilterOperator::not_in:
      return schema.kind == Schema::Kind::text || schema.kind == Schema::Kind::map || primitive_list;
    case FilterOperator::is_empty:
    case FilterOperator::is_not_empty:
      return schema.kind == Schema::Kind::list || schema.kind == Schema::Kind::map;
    default:
      return schema.kind == Schema::Kind::text;
  }
}

std::string_view operators_of(const Schema& schema) {
  switch (schema.kind) {
    case Schema::Kind::text:
      return "text, which takes '==', '!=', 'contains', 'in', 'matches' and their 'not'";
    case Schema::Kind::integer:
    case Schema::Kind::boolean:
      return "a number or a boolean, which takes '==' and '!='";
    case Schema::Kind::list:
      return schema.item.front().primitive() ? "a list, which takes 'contains', 'in', 'is empty' and their 'not'"
                                             : "a list, which takes 'is empty', 'is not empty', or a selector below it";
    case Schema::Kind::map:
      return "a map, which takes 'contains', 'in' (of its keys), 'is empty' and their 'not', or a selector below it";
    default:
      return "a structure, which takes no operator: select a field of it";
  }
}

std::optional<FilterError> check_match(const FilterNode& node, const Schema& schema) {
  const Schema* at = &schema;
  for (std::size_t step = 0; step < node.selector.size(); ++step) {
    const Schema& parent = through_lists(*at);
    at = step_down(parent, node.selector[step]);
    if (at == nullptr) {
      return unknown_step(node, step, parent);
    }
  }
  if (!takes(*at, node.op)) {
    return FilterError{node.op_position,
                       fmt::format("{} is {}", path_of(node.selector, node.selector.size()), operators_of(*at))};
  }
  if (needs_value(node.op) && at->kind == Schema::Kind::integer && !node.integer) {
    return FilterError{node.value_position, fmt::format("{} is a number: expected a whole number, not '{}'",
                                                        path_of(node.selector, node.selector.size()), node.value)};
  }
  if (needs_value(node.op) && at->kind == Schema::Kind::boolean && !node.boolean) {
    return FilterError{node.value_position, fmt::format("{} is a boolean: expected true or false, not '{}'",
                                                        path_of(node.selector, node.selector.size()), node.value)};
  }
  return std::nullopt;
}

// ---- evaluation

bool equals(const FilterNode& node, const Selectable& value) {
  switch (value.kind) {
    case Selectable::Kind::text:
      return value.text == node.value;
    case Selectable::Kind::integer:
      return node.integer == value.integer;
    case Selectable::Kind::boolean:
      return node.boolean == (value.integer != 0);
    default:
      return false;
  }
}

bool contains(const FilterNode& node, const Selectable& value) {
  switch (value.kind) {
    case Selectable::Kind::text:
      return value.text.find(node.value) != std::string_view::npos;
    case Selectable::Kind::list:
      return std::ranges::any_of(value.children, [&](const auto& item) { return equals(node, item.second); });
    case Selectable::Kind::map:
      return std::ranges::any_of(value.children, [&](const auto& entry) { return entry.first == node.value; });
    default:
      return false;
  }
}

bool empty(const Selectable& value) {
  return (value.kind == Selectable::Kind::list || value.kind == Selectable::Kind::map) && value.children.empty();
}

bool matches_expression(const FilterNode& node, const Selectable& value) {
  return value.kind == Selectable::Kind::text &&
         re2::RE2::PartialMatch(re2::StringPiece(value.text.data(), value.text.size()), *node.expression);
}

bool apply(const FilterNode& node, const Selectable& value) {
  switch (node.op) {
    case FilterOperator::equal:
      return equals(node, value);
    case FilterOperator::not_equal:
      return !equals(node, value);
    case FilterOperator::in:
      return contains(node, value);
    case FilterOperator::not_in:
      return !contains(node, value);
    case FilterOperator::is_empty:
      return empty(value);
    case FilterOperator::is_not_empty:
      return !empty(value);
    case FilterOperator::matches:
      return matches_expression(node, value);
    default:
      return !matches_expression(node, value);
  }
}

// A key that the map does not have: whatever was looked for is not it, is in no part of it, and it is empty. That
// `matches` is then true as well is Consul's doing.
bool apply_to_missing(FilterOperator op) {
  return op != FilterOperator::equal && op != FilterOperator::is_not_empty && op != FilterOperator::in;
}

bool select(const FilterNode& node, std::size_t step, const Selectable& value) {
  if (step == node.selector.size()) {
    return apply(node, value);
  }
  if (value.kind == Selectable::Kind::list) {
    return std::ranges::any_of(value.children, [&](const auto& item) { return select(node, step, item.second); });
  }
  for (const auto& [name, child] : value.children) {
    if (name == node.selector[step]) {
      return select(node, step + 1, child);
    }
  }
  return value.kind == Selectable::Kind::map && apply_to_missing(node.op);
}

bool evaluate(const FilterNode& node, const Selectable& value) {
  switch (node.kind) {
    case Kind::both:
      return evaluate(*node.left, value) && evaluate(*node.right, value);
    case Kind::either:
      return evaluate(*node.left, value) || evaluate(*node.right, value);
    case Kind::negation:
      return !evaluate(*node.left, value);
    default:
      return select(node, 0, value);
  }
}

bool mentions_step(const FilterNode& node, std::string_view step) {
  return (node.left != nullptr && mentions_step(*node.left, step)) ||
         (node.right != nullptr && mentions_step(*node.right, step)) ||
         std::ranges::find(node.selector, step) != node.selector.end();
}

}  // namespace

std::optional<FilterError> check_filter(const FilterNode& node, const Schema& schema) {
  if (node.kind == Kind::match) {
    return check_match(node, schema);
  }
  if (auto error = check_filter(*node.left, schema)) {
    return error;
  }
  return node.right == nullptr ? std::nullopt : check_filter(*node.right, schema);
}

std::string FilterError::to_string(std::string_view filter) const {
  const std::string_view rest = position < filter.size() ? filter.substr(position, 20) : std::string_view{};
  return fmt::format("filter '{}', column {}{}: {}", filter, position + 1,
                     rest.empty() ? ", at its end" : fmt::format(", at '{}'", rest), message);
}

std::expected<Filter, FilterError> Filter::parse(std::string_view text) {
  auto tree = parse_filter(text);
  if (!tree) {
    return std::unexpected(std::move(tree.error()));
  }
  Filter filter;
  filter.text_ = text;
  filter.root_ = std::move(*tree);
  return filter;
}

std::expected<Filter, FilterError> Filter::parse(std::string_view text, const Schema& schema) {
  auto filter = parse(text);
  if (filter && filter->root_ != nullptr) {
    if (auto error = check_filter(*filter->root_, schema)) {
      return std::unexpected(std::move(*error));
    }
  }
  return filter;
}

bool Filter::matches(const Selectable& value) const { return root_ == nullptr || evaluate(*root_, value); }

bool Filter::mentions(std::string_view step) const { return root_ != nullptr && mentions_step(*root_, step); }

}  // namespace remora::consul
