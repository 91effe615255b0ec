#include "proxy/model/match.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace remora::model {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// `text` is lower case already; only `value` is folded.
bool equal_folded(std::string_view value, std::string_view text) {
  return value.size() == text.size() &&
         std::equal(value.begin(), value.end(), text.begin(), [](char a, char b) { return lower(a) == b; });
}

bool contains_folded(std::string_view value, std::string_view text) {
  return std::search(value.begin(), value.end(), text.begin(), text.end(),
                     [](char a, char b) { return lower(a) == b; }) != value.end();
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Result<Regex> Regex::compile(const std::string& pattern) {
  RE2::Options options(RE2::Quiet);
  auto program = std::make_shared<const RE2>(pattern, options);
  if (!program->ok()) {
    return fail(fmt::format("'{}' is not a regular expression of RE2: {}", pattern, program->error()));
  }
  Regex result;
  result.pattern_ = pattern;
  result.program_ = std::move(program);
  return result;
}

bool Regex::full_match(std::string_view text) const { return RE2::FullMatch(piece(text), *program_); }

std::string Regex::replace_all(std::string_view text, const std::string& substitution) const {
  std::string result(text);
  RE2::GlobalReplace(&result, *program_, substitution);
  return result;
}

Result<void> Regex::check_substitution(const std::string& substitution) const {
  std::string why;
  if (!program_->CheckRewriteString(substitution, &why)) {
    return fail(fmt::format("'{}' cannot replace what '{}' matches: {}", substitution, pattern_, why));
  }
  return {};
}

bool StringMatch::matches(std::string_view value) const {
  switch (kind) {
    case Kind::exact:
      return ignore_case ? equal_folded(value, text) : value == text;
    case Kind::prefix:
      return ignore_case ? equal_folded(value.substr(0, text.size()), text) : value.starts_with(text);
    case Kind::suffix:
      return value.size() >= text.size() &&
             (ignore_case ? equal_folded(value.substr(value.size() - text.size()), text) : value.ends_with(text));
    case Kind::contains:
      return ignore_case ? contains_folded(value, text) : value.find(text) != std::string_view::npos;
    case Kind::regex:
      return regex && regex->full_match(value);
  }
  return false;
}

bool HeaderMatch::matches(std::optional<std::string_view> value) const {
  // As Envoy: presence is never subject to treat_missing_as_empty, and a missing header matches nothing but "absent",
  // inverted or not.
  if (kind == Kind::present) {
    return value.has_value() != invert;
  }
  if (kind == Kind::absent) {
    return value.has_value() == invert;
  }
  if (!value && !treat_missing_as_empty) {
    return false;
  }
  const std::string_view text = value.value_or(std::string_view());
  bool matched = false;
  if (kind == Kind::string) {
    matched = string.matches(text);
  } else {
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    matched = failure == std::errc() && end == text.data() + text.size() && number >= range_start && number < range_end;
  }
  return matched != invert;
}

}  // namespace remora::model
