// YamlTree: a YAML (or JSON) document as it was written: scalars as text, each node with its line and column. Anchors
// and aliases share nodes; merge keys are plain keys. Built by one pass over yaml-cpp's events, so that marks, quotes
// and repeated keys are not lost. Owned by the loader; the main thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/config_error.h"

namespace remora::config {

struct YamlNode {
  enum class Kind : unsigned char { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  bool quoted = false;  // a scalar in quotes, or of a block: always a string
  int line = 0;         // from 1
  int column = 0;
  std::string text;                                              // scalar
  std::vector<const YamlNode*> items;                            // sequence
  std::vector<std::pair<const YamlNode*, const YamlNode*>> map;  // mapping, as written; keys are scalars, each once

  const YamlNode* find(std::string_view key) const;  // of a mapping; nullptr when there is none
};

class YamlTree {
 public:
  static constexpr int kMaxDepth = 50;

  // Syntax errors, repeated keys and the like go to `errors`; the tree then holds what could be read.
  static std::unique_ptr<YamlTree> parse(std::string_view text, const std::string& file, ConfigErrors& errors);

  const YamlNode& root() const { return *root_; }
  const std::string& file() const { return file_; }
  std::size_t node_count() const { return nodes_.size(); }

 private:
  friend class YamlBuilder;
  friend class JsonBuilder;
  YamlTree() = default;

  std::string file_;
  std::deque<YamlNode> nodes_;
  const YamlNode* root_ = nullptr;
};

}  // namespace remora::config
