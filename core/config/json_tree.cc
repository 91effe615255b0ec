#include "core/config/json_tree.h"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <unordered_map>

namespace remora::config {
namespace {

// A view as rapidjson reads it, which counts lines as it goes.
class CountedStream {
 public:
  using Ch = char;

  explicit CountedStream(std::string_view text) : text_(text) {}

  // NOLINTBEGIN(readability-identifier-naming): the names are rapidjson's
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char Take() {
    if (at_ >= text_.size()) {
      return '\0';
    }
    const char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      line_start_ = at_;
    }
    return c;
  }
  std::size_t Tell() const { return at_; }
  // Only for parsing in situ, which nobody does here.
  char* PutBegin() { return nullptr; }
  void Put(char) {}
  void Flush() {}
  std::size_t PutEnd(char*) { return 0; }
  // NOLINTEND(readability-identifier-naming)

  bool ended() const { return at_ >= text_.size(); }
  int line() const { return line_; }
  // Where the token that ends here began: no token of JSON spans lines.
  int column_of_token(std::size_t length) const {
    const std::size_t here = at_ - line_start_;
    return static_cast<int>(here > length ? here - length : 0) + 1;
  }
  // The length of the string that ends here, in quotes and with its escapes.
  std::size_t string_length() const {
    std::size_t begin = at_ >= 2 ? at_ - 2 : 0;
    while (begin > line_start_ && (text_[begin] != '"' || escaped(begin))) {
      --begin;
    }
    return at_ - begin;
  }

 private:
  bool escaped(std::size_t quote) const {
    std::size_t slashes = 0;
    while (quote > slashes && text_[quote - slashes - 1] == '\\') {
      ++slashes;
    }
    return slashes % 2 == 1;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  int line_ = 1;
};

}  // namespace

// Turns rapidjson's events into nodes. A handler that returns false stops the parser.
class JsonBuilder {
 public:
  static std::unique_ptr<YamlTree> build(std::string_view text, const std::string& file, ConfigErrors& errors,
                                         JsonPlaces places);

  JsonBuilder(YamlTree& tree, CountedStream& stream, ConfigErrors& errors, bool places)
      : tree_(tree), stream_(stream), errors_(errors), places_(places) {}

  // NOLINTBEGIN(readability-identifier-naming): the names are rapidjson's
  bool Null() { return put(make(YamlNode::Kind::null, 4)); }
  bool Bool(bool value) {
    YamlNode* node = make(YamlNode::Kind::scalar, value ? 4 : 5);
    node->text = value ? "true" : "false";
    return put(node);
  }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    YamlNode* node = make(YamlNode::Kind::scalar, length);
    node->text.assign(text, length);
    return put(node);
  }
  bool String(const char* text, rapidjson::SizeType length, bool) { return put(text_node(text, length)); }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    Open& top = open_.back();
    top.key = text_node(text, length);
    const auto [first, fresh] = top.keys.emplace(top.key->text, top.key);
    top.skip = !fresh;
    if (!fresh) {
      const std::string where = places_ ? fmt::format(": first on line {}", first->second->line) : std::string();
      error(*top.key, fmt::format("the key '{}' is here twice{}", top.key->text, where));
    }
    return true;
  }
  // The parser takes the bracket after it has said so.
  bool StartObject() { return enter(make(YamlNode::Kind::mapping, 0)); }
  bool EndObject(rapidjson::SizeType) { return leave(); }
  bool StartArray() { return enter(make(YamlNode::Kind::sequence, 0)); }
  bool EndArray(rapidjson::SizeType) { return leave(); }
  // Numbers come as their text (kParseNumbersAsStringsFlag), and not by these.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  // NOLINTEND(readability-identifier-naming)

  const YamlNode* root() const { return root_; }
  YamlNode* make(YamlNode::Kind kind, std::size_t length) {
    YamlNode& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    if (places_) {
      node.line = stream_.line();
      node.column = stream_.column_of_token(length);
    }
    return &node;
  }
  void error(const YamlNode& node, std::string message) {
    errors_.push_back({tree_.file_, node.line, node.column, {}, std::move(message)});
  }
  void error_here(std::string message) {
    errors_.push_back(
        {tree_.file_, places_ ? stream_.line() : 0, places_ ? stream_.column_of_token(0) : 0, {}, std::move(message)});
  }
  bool too_deep() const { return too_deep_; }

 private:
  struct Open {
    YamlNode* node = nullptr;
    const YamlNode* key = nullptr;
    std::unordered_map<std::string_view, const YamlNode*> keys;
    bool skip = false;  // the value of a key that was refused
  };

  YamlNode* text_node(const char* text, std::size_t length) {
    YamlNode* node = make(YamlNode::Kind::scalar, places_ ? stream_.string_length() : 0);
    node->text.assign(text, length);
    node->quoted = true;
    return node;
  }

  bool put(const YamlNode* node) {
    if (open_.empty()) {
      root_ = node;
      return true;
    }
    Open& top = open_.back();
    if (top.node->kind == YamlNode::Kind::sequence) {
      top.node->items.push_back(node);
    } else if (!top.skip) {
      top.node->map.emplace_back(top.key, node);
    }
    return true;
  }

  bool enter(YamlNode* node) {
    if (open_.size() >= YamlTree::kMaxDepth) {
      too_deep_ = true;
      return false;
    }
    open_.push_back({node, nullptr, {}, false});
    return true;
  }

  bool leave() {
    const YamlNode* node = open_.back().node;
    open_.pop_back();
    return put(node);
  }

  YamlTree& tree_;
  CountedStream& stream_;
  ConfigErrors& errors_;
  const bool places_;
  std::vector<Open> open_;
  const YamlNode* root_ = nullptr;
  bool too_deep_ = false;
};

std::unique_ptr<YamlTree> JsonBuilder::build(std::string_view text, const std::string& file, ConfigErrors& errors,
                                             JsonPlaces places) {
  constexpr unsigned kFlags =
      rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
  std::unique_ptr<YamlTree> tree(new YamlTree);
  tree->file_ = file;
  if (text.starts_with("\xEF\xBB\xBF")) {
    text.remove_prefix(3);
  }
  CountedStream stream(text);
  JsonBuilder builder(*tree, stream, errors, places == JsonPlaces::lines);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (builder.too_deep()) {
    builder.error_here(fmt::format("lists and mappings are nested more than {} deep", YamlTree::kMaxDepth));
  } else if (result.IsError() && result.Code() != rapidjson::kParseErrorDocumentEmpty) {
    builder.error_here(fmt::format("not JSON: {}", rapidjson::GetParseError_En(result.Code())));
  }
  tree->root_ = builder.root() != nullptr ? builder.root() : builder.make(YamlNode::Kind::null, 0);
  return tree;
}

std::unique_ptr<YamlTree> parse_json(std::string_view text, const std::string& file, ConfigErrors& errors,
                                     JsonPlaces places) {
  return JsonBuilder::build(text, file, errors, places);
}

std::unique_ptr<YamlTree> parse_text(std::string_view text, const std::string& file, ConfigErrors& errors) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && text[begin] == '{') {
    ConfigErrors json_errors;
    auto tree = parse_json(text, file, json_errors);
    if (json_errors.empty()) {
      return tree;
    }
  }
  return YamlTree::parse(text, file, errors);  // whose errors are the better ones for `{a: b}`
}

}  // namespace remora::config
