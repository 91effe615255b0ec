#include "control/catalog/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/base/nearest.h"
#include "core/config/yaml_scalar.h"

namespace remora::catalog {
namespace {

using config::YamlNode;

char folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_plain_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '/';
  });
}

// "default" is what Consul itself calls the namespace and partition that everybody is in.
bool says_default(std::string_view name, const YamlNode& node) {
  return node.text == "default" && (name.ends_with("namespace") || name.ends_with("partition"));
}

void unknown(const At& at, const YamlNode& key, std::span<const FieldRow> rows) {
  std::vector<std::string_view> names;
  for (const FieldRow& row : rows) {
    if (row.read != nullptr) {
      names.push_back(row.name);
    }
  }
  std::string near = did_you_mean(key.text, names);
  if (near.empty() && names.size() <= 12) {
    near = fmt::format("; the keys here: {}", fmt::join(names, ", "));
  }
  at.error_at(key, key.text, "no such key" + near);
}

}  // namespace

bool same_key(std::string_view written, std::string_view name) {
  std::size_t i = 0;
  for (std::size_t j = 0; j < name.size(); ++j) {
    if (name[j] == '_') {
      continue;
    }
    while (i < written.size() && written[i] == '_') {
      ++i;
    }
    if (i >= written.size() || folded(written[i]) != name[j]) {
      return false;
    }
    ++i;
  }
  return i == written.size();
}

bool says_nothing(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return true;
    case YamlNode::Kind::scalar:
      return node.text.empty() || (!node.quoted && (node.text == "0" || node.text == "false"));
    case YamlNode::Kind::sequence:
      return node.items.empty();
    case YamlNode::Kind::mapping:
      return std::ranges::all_of(node.map, [](const auto& pair) { return says_nothing(*pair.second); });
  }
  return false;
}

std::string At::path() const {
  std::vector<const At*> steps;
  for (const At* step = this; step != nullptr; step = step->parent_) {
    steps.push_back(step);
  }
  std::string out;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const At& at = **step;
    if (at.parent_ == nullptr) {
      out += at.name_;  // "service/api-1", as it is
    } else if (at.index_ >= 0) {
      out += fmt::format("[{}]", at.index_);
    } else if (is_plain_name(at.name_)) {
      out += out.empty() ? "" : ".";
      out += at.name_;
    } else {
      out += fmt::format("[\"{}\"]", at.name_);
    }
  }
  return out;
}

Place At::place() const { return {reading_->file, node_->line, node_->column, path()}; }

void At::error(std::string message) const {
  if (reading_->errors.size() < Reading::kMaxErrors) {
    reading_->errors.push_back({*reading_->file, node_->line, node_->column, path(), std::move(message)});
  }
}

void At::error(std::string_view key, std::string message) const {
  const YamlNode* value = find(key);
  field(key, value == nullptr ? *node_ : *value).error(std::move(message));
}

void At::error_at(const YamlNode& node, std::string_view key, std::string message) const {
  field(key, node).error(std::move(message));
}

void At::expected(std::string_view what) const {
  error(fmt::format("expected {}, not {}", what, config::describe(*node_)));
}

const YamlNode* At::find(std::string_view key) const {
  for (const auto& [name, value] : node_->map) {
    if (same_key(name->text, key)) {
      return value->kind == YamlNode::Kind::null ? nullptr : value;
    }
  }
  return nullptr;
}

void read_rows(const At& at, std::span<const FieldRow> rows, void* into) {
  if (at.node().kind != YamlNode::Kind::mapping) {
    at.expected("a mapping of keys to values");
    return;
  }
  std::vector<const YamlNode*> seen(rows.size());
  for (const auto& [key, value] : at.node().map) {
    const auto row = std::ranges::find_if(rows, [&](const FieldRow& one) {
      return same_key(key->text, one.name) || (!one.alias.empty() && same_key(key->text, one.alias));
    });
    if (row == rows.end()) {
      if (!at.from_consul() || !says_nothing(*value)) {
        unknown(at, *key, rows);
      }
      continue;
    }
    const YamlNode*& first = seen[static_cast<std::size_t>(row - rows.begin())];
    if (first != nullptr) {
      at.error_at(*key, row->name,
                  fmt::format("'{}' and '{}' (line {}) are the same key", key->text, first->text, first->line));
      continue;
    }
    first = key;
    if (!row->refused.empty()) {
      const bool dropped = row->tolerated && at.from_consul();
      if (!dropped && !says_nothing(*value) && !says_default(row->name, *value)) {
        at.error_at(*key, row->name, std::string(row->refused));
      }
    } else if (row->read != nullptr && value->kind != YamlNode::Kind::null) {
      row->read(at.field(row->name, *value), into, row->limits);
    }
  }
}

}  // namespace remora::catalog
