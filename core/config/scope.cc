#include "core/config/scope.h"

#include <fmt/format.h>

#include <algorithm>

namespace remora::config {
namespace {

bool is_plain_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '@';
  });
}

// A place in each source at once: list items of later sources come after those of earlier ones, mappings are merged.
class Finder {
 public:
  explicit Finder(const Context& context) : context_(context), at_(context.sources.size()) {
    for (std::size_t i = 0; i < at_.size(); ++i) {
      at_[i] = &context.sources[i]->root();
    }
  }

  bool step(std::string_view name) {
    const std::string camel = camel_case(name);
    return move([&](const YamlNode& node) {
      const YamlNode* child = node.find(name);
      return child != nullptr ? child : node.find(camel);
    });
  }

  bool step(std::size_t index) {
    return move([&](const YamlNode& node) -> const YamlNode* {
      if (index < node.items.size()) {
        const YamlNode* child = node.items[index];
        index = std::string::npos;
        return child;
      }
      if (index != std::string::npos) {
        index -= node.items.size();
      }
      return nullptr;
    });
  }

  // The place in the last source that has it.
  std::pair<const YamlTree*, const YamlNode*> found() const {
    for (std::size_t i = at_.size(); i-- > 0;) {
      if (at_[i] != nullptr) {
        return {context_.sources[i].get(), at_[i]};
      }
    }
    return {nullptr, nullptr};
  }

 private:
  template <typename Child>
  bool move(Child&& child) {
    std::vector<const YamlNode*> next(at_.size());
    bool any = false;
    for (std::size_t i = 0; i < at_.size(); ++i) {
      next[i] = at_[i] == nullptr ? nullptr : child(*at_[i]);
      any = any || next[i] != nullptr;
    }
    if (any) {
      at_ = std::move(next);
    }
    return any;
  }

  const Context& context_;
  std::vector<const YamlNode*> at_;
};

}  // namespace

std::string camel_case(std::string_view snake) {
  std::string result;
  bool upper = false;
  for (char c : snake) {
    if (c == '_') {
      upper = true;
      continue;
    }
    result += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    upper = false;
  }
  return result;
}

std::vector<const Scope*> Scope::steps() const {
  std::vector<const Scope*> result;
  for (const Scope* scope = this; scope->parent_ != nullptr; scope = scope->parent_) {
    result.push_back(scope);
  }
  std::ranges::reverse(result);
  return result;
}

std::string Scope::path() const {
  std::string result;
  for (const Scope* step : steps()) {
    if (step->index_ != kNoIndex) {
      result += fmt::format("[{}]", step->index_);
    } else if (is_plain_name(step->name_)) {
      result += result.empty() ? "" : ".";
      result += step->name_;
    } else {
      result += fmt::format("[\"{}\"]", step->name_);
    }
  }
  return result;
}

void Scope::error(std::string message) const {
  if (context_->errors.size() >= Context::kMaxErrors) {
    return;
  }
  ConfigError error{{}, 0, 0, path(), std::move(message)};
  Finder finder(*context_);
  for (const Scope* step : steps()) {
    const bool found =
        step->index_ != kNoIndex ? finder.step(static_cast<std::size_t>(step->index_)) : finder.step(step->name_);
    if (!found) {
      break;
    }
  }
  if (const auto [tree, node] = finder.found(); tree != nullptr) {
    error.file = tree->file();
    error.line = node->line;
    error.column = node->column;
  }
  context_->errors.push_back(std::move(error));
}

void Scope::error_at(const std::string& file, const YamlNode& node, std::string message) const {
  if (context_->errors.size() < Context::kMaxErrors) {
    context_->errors.push_back({file, node.line, node.column, path(), std::move(message)});
  }
}

}  // namespace remora::config
