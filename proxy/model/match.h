// Matchers of strings and headers, compiled. Immutable; any thread. Sources: envoy.type.matcher.v3.StringMatcher,
// envoy.config.route.v3.HeaderMatcher, envoy.type.matcher.v3.RegexMatcher (RE2, full match).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace re2 {
class RE2;
}

namespace remora::model {

// A compiled safe regex.
class Regex {
 public:
  static Result<Regex> compile(const std::string& pattern);
  bool full_match(std::string_view text) const;
  // Envoy's regex_rewrite: every match in `text` replaced, \1 ... \9 in `substitution`.
  std::string replace_all(std::string_view text, const std::string& substitution) const;
  // Whether `substitution` names only groups that the pattern has.
  Result<void> check_substitution(const std::string& substitution) const;
  const std::string& pattern() const { return pattern_; }

 private:
  std::string pattern_;
  std::shared_ptr<const re2::RE2> program_;
};

struct StringMatch {
  enum class Kind : std::uint8_t { exact, prefix, suffix, contains, regex };
  Kind kind = Kind::exact;
  std::string text;  // lower case already when ignore_case
  bool ignore_case = false;
  std::optional<Regex> regex;

  bool matches(std::string_view value) const;
};

struct HeaderMatch {
  enum class Kind : std::uint8_t { present, absent, string, range };
  std::string name;  // lower case; ":method", ":path", ":authority", ":scheme" name the head's own fields
  Kind kind = Kind::present;
  StringMatch string;
  std::int64_t range_start = 0;  // [start, end)
  std::int64_t range_end = 0;
  bool invert = false;
  bool treat_missing_as_empty = false;

  // Of a header that may be repeated, in a list such as http::HeaderList: any value may match, and inverted none may,
  // as in Envoy. (Joined values would let a second header slip past a guard.)
  template <typename Headers>
  bool matches_any(const Headers& headers) const {
    if (headers.find(name) == nullptr) {
      return matches(std::nullopt);
    }
    if (invert) {
      return !headers.any_value(name, [this](std::string_view value) { return !matches(value); });
    }
    return headers.any_value(name, [this](std::string_view value) { return matches(value); });
  }

  // `value`: all values of the header joined with ",", nullopt when it is absent.
  bool matches(std::optional<std::string_view> value) const;
};

}  // namespace remora::model
