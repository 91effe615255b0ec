#include "core/config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <streambuf>
#include <unordered_map>
#include <unordered_set>

namespace remora::config {
namespace {

constexpr std::string_view kStringTag = "tag:yaml.org,2002:str";
constexpr std::string_view kMergeKey = "<<";

// A stream over text that somebody else owns.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

// Well-formed UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
    if (size == 0 || i + size > text.size()) {
      return false;
    }
    for (std::size_t j = 1; j < size; ++j) {
      const auto c = static_cast<unsigned char>(text[i + j]);
      // The first continuation byte is narrower after some leads.
      const unsigned char least = j == 1 && lead == 0xe0 ? 0xa0 : j == 1 && lead == 0xf0 ? 0x90 : 0x80;
      const unsigned char most = j == 1 && lead == 0xed ? 0x9f : j == 1 && lead == 0xf4 ? 0x8f : 0xbf;
      if (c < least || c > most) {
        return false;
      }
    }
    i += size;
  }
  return true;
}

struct TooDeep {
  YAML::Mark mark;
};

}  // namespace

// Turns yaml-cpp's events into nodes.
class YamlBuilder : public YAML::EventHandler {
 public:
  YamlBuilder(YamlTree& tree, ConfigErrors& errors) : tree_(tree), errors_(errors) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { put(make(YamlNode::Kind::null, mark, anchor)); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const YamlNode* node = anchors_[anchor];
    for (const Open& open : open_) {
      if (open.node == node) {
        error(mark, "an alias to what it is itself a part of");
        node = nullptr;
        break;
      }
    }
    put(node != nullptr ? node : make(YamlNode::Kind::null, mark, 0));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode* node = make(YamlNode::Kind::scalar, mark, anchor);
    if (is_utf8(value)) {
      node->text = value;
    } else {
      error(mark, "the text is not UTF-8");
    }
    node->quoted = tag == "!" || tag == kStringTag;
    put(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    enter(make(YamlNode::Kind::sequence, mark, anchor), mark);
  }
  void OnSequenceEnd() override { leave(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    enter(make(YamlNode::Kind::mapping, mark, anchor), mark);
  }
  void OnMapEnd() override { leave(); }

  const YamlNode* root() const { return root_; }
  const YamlNode* empty(const YAML::Mark& mark) { return make(YamlNode::Kind::null, mark, 0); }

  void error(const YAML::Mark& mark, std::string message) {
    errors_.push_back({tree_.file_, mark.line + 1, mark.column + 1, {}, std::move(message)});
  }

 private:
  struct Open {
    YamlNode* node = nullptr;
    const YamlNode* key = nullptr;  // of a mapping: its value comes next
    std::unordered_map<std::string_view, const YamlNode*> keys;
    bool skip = false;  // the value of a key that was refused
  };

  YamlNode* make(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    YamlNode& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    if (anchor != 0) {
      anchors_[anchor] = &node;
    }
    return &node;
  }

  void put(const YamlNode* node) {
    if (open_.empty()) {
      root_ = node;
      return;
    }
    Open& top = open_.back();
    if (top.node->kind == YamlNode::Kind::sequence) {
      top.node->items.push_back(node);
    } else if (top.key == nullptr) {
      put_key(top, node);
    } else {
      if (!top.skip) {
        top.node->map.emplace_back(top.key, node);
      }
      top.key = nullptr;
    }
  }

  void put_key(Open& top, const YamlNode* key) {
    top.key = key;
    top.skip = true;
    const YAML::Mark mark = mark_of(*key);
    if (key->kind != YamlNode::Kind::scalar) {
      error(mark, "a key is a word, not a list, a mapping or nothing");
    } else if (key->text == kMergeKey && !key->quoted) {
      error(mark, "merge keys (<<) are not supported, as in Envoy: write the fields out, or use an alias");
    } else if (const auto [first, fresh] = top.keys.emplace(key->text, key); !fresh) {
      error(mark, fmt::format("the key '{}' is here twice: first on line {}", key->text, first->second->line));
    } else {
      top.skip = false;
    }
  }

  static YAML::Mark mark_of(const YamlNode& node) {
    YAML::Mark mark;
    mark.line = node.line - 1;
    mark.column = node.column - 1;
    return mark;
  }

  void enter(YamlNode* node, const YAML::Mark& mark) {
    if (open_.size() >= YamlTree::kMaxDepth) {
      throw TooDeep{mark};
    }
    open_.push_back({node, nullptr, {}, false});
  }

  void leave() {
    const YamlNode* node = open_.back().node;
    open_.pop_back();
    put(node);
  }

  YamlTree& tree_;
  ConfigErrors& errors_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, const YamlNode*> anchors_;
  const YamlNode* root_ = nullptr;
};

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const auto& [name, value] : map) {
    if (name->text == key) {
      return value;
    }
  }
  return nullptr;
}

std::unique_ptr<YamlTree> YamlTree::parse(std::string_view text, const std::string& file, ConfigErrors& errors) {
  std::unique_ptr<YamlTree> tree(new YamlTree);
  tree->file_ = file;
  YamlBuilder builder(*tree, errors);
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    if (parser.HandleNextDocument(builder)) {
      tree->root_ = builder.root();
      YamlTree rest_tree;
      YamlBuilder rest(rest_tree, errors);
      if (parser.HandleNextDocument(rest)) {
        builder.error(YAML::Mark::null_mark(), "there is a second document: a configuration is one");
      }
    }
  } catch (const TooDeep& deep) {
    builder.error(deep.mark, fmt::format("lists and mappings are nested more than {} deep", kMaxDepth));
  } catch (const YAML::Exception& problem) {
    builder.error(problem.mark, fmt::format("not YAML: {}", problem.msg));
  } catch (const std::exception& problem) {
    builder.error(YAML::Mark::null_mark(), fmt::format("not YAML: {}", problem.what()));
  }
  if (tree->root_ == nullptr) {
    tree->root_ = builder.empty(YAML::Mark());
  }
  return tree;
}

}  // namespace remora::config
