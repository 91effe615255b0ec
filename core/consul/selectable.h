// Selectable: a value that a filter looks at: a tree of views onto somebody's strings, made for one evaluation. Schema:
// what such values look like, so that a selector is judged before there is a value. Values; any thread.
// Source: Consul's filtering documentation ("Filter expressions", supported selectors and matching operators).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace remora::consul {

class Selectable {
 public:
  using List = std::vector<Selectable>;
  struct Map {  // keys that people chose; one that is missing is no error
    std::vector<std::pair<std::string_view, Selectable>> entries;
  };
  struct Structure {  // fields that the schema names
    std::vector<std::pair<std::string_view, Selectable>> fields;
  };
  using Value = std::variant<std::string_view, std::int64_t, bool, List, Map, Structure>;

  static Selectable text(std::string_view value) { return Selectable(Value(value)); }
  static Selectable integer(std::int64_t value) { return Selectable(Value(value)); }
  static Selectable boolean(bool value) { return Selectable(Value(value)); }
  static Selectable list(List items) { return Selectable(Value(std::move(items))); }
  static Selectable map(std::vector<std::pair<std::string_view, Selectable>> entries) {
    return Selectable(Value(Map{std::move(entries)}));
  }
  static Selectable structure(std::vector<std::pair<std::string_view, Selectable>> fields) {
    return Selectable(Value(Structure{std::move(fields)}));
  }

  const Value& value() const { return value_; }

 private:
  explicit Selectable(Value value) : value_(std::move(value)) {}
  Value value_;
};

struct Schema {
  enum class Kind : std::uint8_t { text, integer, boolean, list, map, structure };
  Kind kind = Kind::text;
  std::vector<std::pair<std::string_view, Schema>> fields = {};  // of a structure
  std::vector<Schema> item = {};                                 // one: of a list's items, of a map's values

  bool primitive() const { return kind == Kind::text || kind == Kind::integer || kind == Kind::boolean; }
};

}  // namespace remora::consul
