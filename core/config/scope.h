// Scope: where in the configuration a reader stands, as a chain of steps on the stack: it costs nothing until there is
// an error to report. Context: what all readers of one load share: the sources and the errors. Main thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config_error.h"
#include "core/config/yaml_tree.h"

namespace remora::config {

// One load's sources, in the order in which they are merged, and what is wrong with them.
struct Context {
  static constexpr std::size_t kMaxErrors = 1000;

  std::vector<std::unique_ptr<YamlTree>> sources;
  ConfigErrors errors;
};

class Scope {
 public:
  explicit Scope(Context& context) : context_(&context) {}

  // A step down. The result refers to *this and to `name`: it must not outlive them.
  Scope field(std::string_view name) const& { return Scope(*context_, this, name, kNoIndex); }
  Scope item(std::size_t index) const& { return Scope(*context_, this, {}, static_cast<int>(index)); }
  Scope field(std::string_view name) const&& = delete;
  Scope item(std::size_t index) const&& = delete;

  // Reports at this place, or, when it is not in any source (a field that is missing), at the nearest one above.
  void error(std::string message) const;
  // Reports at a field below this place.
  void error(std::string_view name, std::string message) const { field(name).error(std::move(message)); }
  // Reports at a place in a file, with this path.
  void error_at(const std::string& file, const YamlNode& node, std::string message) const;

  std::string path() const;
  Context& context() const { return *context_; }

 private:
  static constexpr int kNoIndex = -1;
  Scope(Context& context, const Scope* parent, std::string_view name, int index)
      : context_(&context), parent_(parent), name_(name), index_(index) {}

  std::vector<const Scope*> steps() const;

  Context* context_;
  const Scope* parent_ = nullptr;
  std::string_view name_;
  int index_ = kNoIndex;
};

// "per_try_timeout" → "perTryTimeout", proto JSON's other name of a field.
std::string camel_case(std::string_view snake);

}  // namespace remora::config
