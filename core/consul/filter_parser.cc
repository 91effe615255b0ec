#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/consul/filter_node.h"
#include "core/consul/go_literals.h"

namespace remora::consul {
namespace {

using Node = std::unique_ptr<FilterNode>;

constexpr std::size_t kMaxConditions = 1000;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Recursive descent over the PEG of go-bexpr: each rule takes its text or leaves the cursor where it was. What could
// have stood at the furthest place that any rule reached is the error that people see.
class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) {}

  std::expected<Node, FilterError> parse() {
    spaces();
    Node tree = either();
    if (tree != nullptr) {
      const std::size_t end = at_;
      spaces();
      if (at_ == text_.size()) {
        return tree;
      }
      at_ = end;
      expect("' and ', ' or ' or the end (text with other signs takes quotes)");
    }
    return std::unexpected(error());
  }

 private:
  struct Operator {
    FilterOperator op = FilterOperator::equal;
    std::size_t position = 0;
  };

  // ---- words and places

  bool spaces() {  // one or more
    const std::size_t from = at_;
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
    return at_ > from;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    return true;
  }
  // `_ word _`, `_ word _ word`: each word after at least one space.
  bool take_words(std::initializer_list<std::string_view> words) {
    const std::size_t from = at_;
    for (const std::string_view word : words) {
      if (!spaces() || !take(word)) {
        at_ = from;
        return false;
      }
    }
    return true;
  }
  void expect(std::string what) {
    if (fatal_ || at_ < furthest_) {
      return;
    }
    if (at_ > furthest_) {
      furthest_ = at_;
      expected_.clear();
    }
    if (std::ranges::find(expected_, what) == expected_.end()) {
      expected_.push_back(std::move(what));
    }
  }
  // An error that says more than what was expected: no other rule's word counts any more.
  void refuse(std::size_t position, std::string message) {
    if (!fatal_) {
      fatal_ = true;
      furthest_ = position;
      expected_ = {std::move(message)};
    }
  }
  FilterError error() const {
    if (fatal_) {
      return {furthest_, expected_.front()};
    }
    std::string list;
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      list += (i == 0 ? "" : i + 1 == expected_.size() ? " or " : ", ") + expected_[i];
    }
    return {furthest_, "expected " + list};
  }

  // ---- rules

  Node either() {
    return chain("or", FilterNode::Kind::either, [this] { return both(); });
  }
  Node both() {
    return chain("and", FilterNode::Kind::both, [this] { return negation(); });
  }

  template <typename Operand>
  Node chain(std::string_view word, FilterNode::Kind kind, Operand&& operand) {
    Node left = operand();
    while (left != nullptr) {
      const std::size_t before = at_;
      if (!take_words({word}) || !spaces()) {
        at_ = before;
        break;
      }
      Node right = operand();
      if (right == nullptr) {
        return nullptr;  // nothing else can take the word: the error stands where the operand was expected
      }
      auto node = std::make_unique<FilterNode>();
      node->kind = kind;
      node->left = std::move(left);
      node->right = std::move(right);
      left = std::move(node);
    }
    return left;
  }

  Node negation() {
    const std::size_t before = at_;
    if (take("not") && spaces()) {
      if (!deeper()) {
        return nullptr;
      }
      Node operand = negation();
      --depth_;
      if (operand != nullptr) {
        auto node = std::make_unique<FilterNode>();
        node->kind = FilterNode::Kind::negation;
        node->left = std::move(operand);
        return node;
      }
    }
    at_ = before;  // a selector or a value may be called "not"
    return grouping();
  }

  Node grouping() {
    if (fatal_ || !take("(")) {
      return condition();
    }
    if (!deeper()) {
      return nullptr;
    }
    spaces();
    Node inside = either();
    --depth_;
    if (inside == nullptr) {
      return nullptr;
    }
    spaces();
    if (!take(")")) {
      expect("')'");
      return nullptr;
    }
    return inside;
  }

  bool deeper() {
    if (++depth_ > Filter::kMaxDepth) {
      refuse(at_, fmt::format("more than {} levels of parentheses and 'not'", Filter::kMaxDepth));
      return false;
    }
    return true;
  }

  Node condition() {
    if (fatal_) {
      return nullptr;
    }
    if (++conditions_ > kMaxConditions) {
      refuse(at_, fmt::format("more than {} conditions", kMaxConditions));
      return nullptr;
    }
    const std::size_t before = at_;
    Node node = selector_first();
    if (node == nullptr && !fatal_) {
      at_ = before;
      node = value_first();
    }
    return node == nullptr || !compile(*node) ? nullptr : std::move(node);
  }

  Node selector_first() {
    auto node = std::make_unique<FilterNode>();
    node->selector_position = at_;
    if (!selector(node->selector) && !json_pointer(node->selector)) {
      expect("a selector (Service.Meta.version)");
      return nullptr;
    }
    const auto op = operator_after_selector();
    if (!op) {
      return nullptr;
    }
    node->op = op->op;
    node->op_position = op->position;
    if (!needs_value(op->op)) {
      return node;
    }
    node->value_position = at_;
    return value(node->value) ? std::move(node) : nullptr;
  }

  Node value_first() {
    auto node = std::make_unique<FilterNode>();
    node->value_position = at_;
    if (!value(node->value)) {
      return nullptr;
    }
    const std::size_t op_at = at_;
    if (take_words({"in"}) && spaces()) {
      node->op = FilterOperator::in;
    } else {
      at_ = op_at;
      if (!take_words({"not", "in"}) || !spaces()) {
        at_ = op_at;
        expect("' in '");
        expect("' not in '");
        return nullptr;
      }
      node->op = FilterOperator::not_in;
    }
    node->op_position = op_at;
    node->selector_position = at_;
    if (!selector(node->selector) && !json_pointer(node->selector)) {
      expect("a selector (Service.Meta.version)");
      return nullptr;
    }
    return node;
  }

  std::optional<Operator> operator_after_selector() {
    const std::size_t before = at_;
    spaces();
    const std::size_t sign_at = at_;
    if (take("==") || take("!=")) {
      const bool equal = text_[sign_at] == '=';
      spaces();
      return Operator{equal ? FilterOperator::equal : FilterOperator::not_equal, sign_at};
    }
    at_ = before;
    struct Words {
      std::initializer_list<std::string_view> words;
      FilterOperator op;
    };
    for (const Words& words :
         {Words{{"contains"}, FilterOperator::in}, Words{{"not", "contains"}, FilterOperator::not_in},
          Words{{"matches"}, FilterOperator::matches}, Words{{"not", "matches"}, FilterOperator::not_matches}}) {
      if (take_words(words.words) && spaces()) {
        return Operator{words.op, sign_at};
      }
      at_ = before;
    }
    if (take_words({"is", "empty"})) {
      return Operator{FilterOperator::is_empty, sign_at};
    }
    if (take_words({"is", "not", "empty"})) {
      return Operator{FilterOperator::is_not_empty, sign_at};
    }
    expect_operator();
    return std::nullopt;
  }

  void expect_operator() {
    for (const char* word : {"'=='", "'!='", "' contains '", "' matches '", "' is empty'"}) {
      expect(word);
    }
  }

  bool selector(std::vector<std::string>& steps) {
    std::string step;
    if (!identifier(step)) {
      return false;
    }
    steps = {std::move(step)};
    while (true) {
      const std::size_t before = at_;
      if (steps.size() > Filter::kMaxSelectorDepth) {
        refuse(at_, fmt::format("a selector of more than {} steps", Filter::kMaxSelectorDepth));
        return false;
      }
      if (take(".") && identifier(step)) {
        steps.push_back(std::move(step));
        continue;
      }
      at_ = before;
      if (!take("[")) {
        return true;
      }
      spaces();
      if (!string_literal(step)) {
        refuse(at_, "expected a string in quotes as the index (Meta[\"my-key\"])");
        return false;
      }
      spaces();
      if (!take("]")) {
        refuse(at_, "expected ']' after the index");
        return false;
      }
      steps.push_back(std::move(step));
    }
  }

  bool identifier(std::string& out) {
    const std::size_t from = at_;
    if (at_ >= text_.size() || !is_letter(text_[at_])) {
      return false;
    }
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '_')) {
      ++at_;
    }
    out = text_.substr(from, at_ - from);
    return true;
  }

  // "/Service/Meta/my-key", with RFC 6901's ~0 and ~1. As a value a string may look the same: only the operator after
  // it tells, so this rule gives the text back when it is followed by none.
  bool json_pointer(std::vector<std::string>& steps) {
    const std::size_t before = at_;
    std::string pointer;
    if (!text_.substr(at_).starts_with("\"/") || !string_literal(pointer)) {
      at_ = before;
      return false;
    }
    steps.clear();
    for (std::size_t from = 1; from <= pointer.size();) {
      const std::size_t slash = std::min(pointer.find('/', from), pointer.size());
      steps.push_back(unescape_pointer(std::string_view(pointer).substr(from, slash - from)));
      from = slash + 1;
    }
    if (steps.size() > Filter::kMaxSelectorDepth) {
      refuse(before, fmt::format("a selector of more than {} steps", Filter::kMaxSelectorDepth));
      return false;
    }
    return true;
  }

  static std::string unescape_pointer(std::string_view segment) {
    std::string out;
    for (std::size_t i = 0; i < segment.size(); ++i) {
      const bool escape =
          segment[i] == '~' && i + 1 < segment.size() && (segment[i + 1] == '0' || segment[i + 1] == '1');
      out += escape ? (segment[++i] == '0' ? '~' : '/') : segment[i];
    }
    return out;
  }

  bool value(std::string& out) {
    std::vector<std::string> steps;
    if (selector(steps)) {  // a bare word is text
      for (std::size_t i = 0; i < steps.size(); ++i) {
        out += (i == 0 ? "" : ".") + steps[i];
      }
      return true;
    }
    if (fatal_) {
      return false;
    }
    if (number(out) || string_literal(out)) {
      return true;
    }
    expect("a value (a word, a number or text in quotes)");
    return false;
  }

  bool number(std::string& out) {
    const std::size_t from = at_;
    take("-");
    if (at_ >= text_.size() || !is_digit(text_[at_])) {
      at_ = from;
      return false;
    }
    if (!take("0")) {
      digits();
    }
    const std::size_t point = at_;
    if (take(".") && !digits()) {
      at_ = point;
    }
    if (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ')') {
      refuse(from, "not a number: text that begins with a digit takes quotes");
      return false;
    }
    out = text_.substr(from, at_ - from);
    return true;
  }
  bool digits() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) {
      ++at_;
    }
    return at_ > from;
  }

  bool string_literal(std::string& out) {
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '`')) {
      return false;
    }
    const std::size_t from = at_;
    const std::size_t end = text_.find(text_[from], from + 1);
    if (end == std::string_view::npos) {
      refuse(from, fmt::format("this string has no closing {}", text_[from]));
      return false;
    }
    auto inside = go_unquote(text_[from], text_.substr(from + 1, end - from - 1));
    if (!inside) {
      refuse(from,
             "this string holds an escape or a line break that Go's strings do not have (`raw` strings have none)");
      return false;
    }
    out = std::move(*inside);
    at_ = end + 1;
    return true;
  }

  bool compile(FilterNode& node) {
    node.integer = go_parse_int(node.value);
    node.boolean = go_parse_bool(node.value);
    if (node.op != FilterOperator::matches && node.op != FilterOperator::not_matches) {
      return true;
    }
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(1 << 20);
    node.expression = std::make_unique<re2::RE2>(node.value, options);
    if (!node.expression->ok()) {
      refuse(node.value_position, fmt::format("the regular expression: {}", node.expression->error()));
      return false;
    }
    return true;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t conditions_ = 0;
  std::size_t furthest_ = 0;
  bool fatal_ = false;
  std::vector<std::string> expected_;
};

}  // namespace

std::expected<std::unique_ptr<FilterNode>, FilterError> parse_filter(std::string_view text) {
  if (std::ranges::all_of(text, is_space)) {
    return nullptr;
  }
  if (text.size() > Filter::kMaxLength) {
    return std::unexpected(FilterError{0, fmt::format("a filter of more than {} bytes", Filter::kMaxLength)});
  }
  return FilterParser(text).parse();
}

}  // namespace remora::consul
