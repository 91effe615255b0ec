// Reading: from a document's nodes to values, by tables of fields. `At` is where a reader stands, a chain on the stack
// that costs nothing until there is an error to report. A struct's reader is a table of `Field`s and the rules that
// span fields; keys are taken in snake_case and in Consul's CamelCase. Main thread.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "control/catalog/place.h"
#include "core/config/config_error.h"
#include "core/config/yaml_tree.h"

namespace remora::catalog {

// Where documents come from: Consul's answers hold what nobody wrote (empty values of every key, nanoseconds, its own
// bookkeeping), and have no lines to show.
enum class Dialect : std::uint8_t { file, consul };

// One document being read. Its errors gather here, in the order of their places.
struct Reading {
  static constexpr std::size_t kMaxErrors = 1000;

  std::shared_ptr<const std::string> file;
  Dialect dialect = Dialect::file;
  config::ConfigErrors errors;
};

class At {
 public:
  At(Reading& reading, const config::YamlNode& node, std::string_view name = {})
      : reading_(&reading), node_(&node), name_(name) {}

  // A step down. The result refers to *this and to `name`: it must not outlive them.
  At field(std::string_view name, const config::YamlNode& node) const& { return At(*reading_, node, this, name, -1); }
  At item(std::size_t index, const config::YamlNode& node) const& {
    return At(*reading_, node, this, {}, static_cast<int>(index));
  }
  At field(std::string_view, const config::YamlNode&) const&& = delete;
  At item(std::size_t, const config::YamlNode&) const&& = delete;

  const config::YamlNode& node() const { return *node_; }
  Reading& reading() const { return *reading_; }
  bool from_consul() const { return reading_->dialect == Dialect::consul; }
  Place place() const;
  std::string path() const;

  // Reports here; at a key of this mapping (its value where it is written, else here); at a node below.
  void error(std::string message) const;
  void error(std::string_view key, std::string message) const;
  void error_at(const config::YamlNode& node, std::string_view key, std::string message) const;

  // "expected a port, got the text 'x'"
  void expected(std::string_view what) const;

  // Of a mapping, by either spelling; nullptr when it is not written, or written as nothing.
  const config::YamlNode* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }

 private:
  At(Reading& reading, const config::YamlNode& node, const At* parent, std::string_view name, int index)
      : reading_(&reading), node_(&node), parent_(parent), name_(name), index_(index) {}

  Reading* reading_;
  const config::YamlNode* node_;
  const At* parent_ = nullptr;
  std::string_view name_;
  int index_ = -1;
};

// What a field may hold, where its type does not say it all.
struct Limits {
  std::int64_t least = 0;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

// One row of a struct's table. A row without a reader is Consul's bookkeeping, taken and dropped; or, with a reason,
// what Remora refuses. Whoever sorts out a type-erased `into` is the row's own reader.
struct FieldRow {
  std::string_view name;  // snake_case
  void (*read)(const At& at, void* into, const Limits& limits) = nullptr;
  Limits limits = {};
  std::string_view refused = {};
  std::string_view alias = {};  // a second name
  bool tolerated = false;  // refused in a file, dropped when it comes from Consul: it may be there for somebody else
};

// Reads a mapping by its table: unknown keys, with the nearest known one, keys written twice in two spellings, and
// refused ones are errors.
void read_rows(const At& at, std::span<const FieldRow> rows, void* into);

// "ServiceSubset", "service_subset" and "serviceSubset" are one key.
bool same_key(std::string_view written, std::string_view name);

// What says nothing: null, "", 0, false, an empty list or mapping, and a mapping of such.
bool says_nothing(const config::YamlNode& node);

}  // namespace remora::catalog
