// Selectable: a value that a filter looks at: a tree of views onto somebody's strings, made for one evaluation. Schema:
// what such values look like, so that a selector is judged before there is a value. Values; any thread.
// Source: Consul's filtering documentation ("Filter expressions", supported selectors and matching operators).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace remora::consul {

struct Selectable {
  enum class Kind : std::uint8_t {
    text,
    integer,
    boolean,
    list,
    map,        // keys that people chose; one that is missing is no error
    structure,  // fields that the schema names
  };
  using Children = std::vector<std::pair<std::string_view, Selectable>>;

  static Selectable of_text(std::string_view value);
  static Selectable of_integer(std::int64_t value);
  static Selectable of_boolean(bool value);
  static Selectable list(Children items);
  static Selectable map(Children entries);
  static Selectable structure(Children fields);

  Kind kind = Kind::text;
  std::string_view text = {};
  std::int64_t integer = 0;  // a boolean: 0 or 1
  Children children = {};    // of a list without names
};

inline Selectable Selectable::of_text(std::string_view value) { return {Kind::text, value}; }
inline Selectable Selectable::of_integer(std::int64_t value) { return {Kind::integer, {}, value}; }
inline Selectable Selectable::of_boolean(bool value) { return {Kind::boolean, {}, value ? 1 : 0}; }
inline Selectable Selectable::list(Children items) { return {Kind::list, {}, 0, std::move(items)}; }
inline Selectable Selectable::map(Children entries) { return {Kind::map, {}, 0, std::move(entries)}; }
inline Selectable Selectable::structure(Children fields) { return {Kind::structure, {}, 0, std::move(fields)}; }

struct Schema {
  using Kind = Selectable::Kind;
  Kind kind = Kind::text;
  std::vector<std::pair<std::string_view, Schema>> fields = {};  // of a structure
  std::vector<Schema> item = {};                                 // one: of a list's items, of a map's values

  bool primitive() const { return kind == Kind::text || kind == Kind::integer || kind == Kind::boolean; }
};

}  // namespace remora::consul
