#include <fmt/format.h>

#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

using model::StringMatch;

StringMatch string_match(const Scope& scope, StringMatch::Kind kind, const std::string& text, bool ignore_case) {
  StringMatch result;
  result.kind = kind;
  result.text = ignore_case ? lower_case(text) : text;
  result.ignore_case = ignore_case;
  if (kind != StringMatch::Kind::exact && text.empty()) {
    scope.error("must not be empty: it would match everything");
  }
  return result;
}

StringMatch regex_match(const Scope& scope, const matcher_v3::RegexMatcher& regex) {
  StringMatch result;
  result.kind = StringMatch::Kind::regex;
  result.text = regex.regex();
  result.regex = read_regex(scope, regex);
  return result;
}

void read_path(const Scope& scope, const route_v3::RouteMatch& match, model::PathMatch& path) {
  using Kind = model::PathMatch::Kind;
  switch (match.path_specifier_case()) {
    case route_v3::RouteMatch::kPrefix:
      path.kind = Kind::prefix;
      path.text = match.prefix();
      break;
    case route_v3::RouteMatch::kPath:
      path.kind = Kind::path;
      path.text = match.path();
      break;
    case route_v3::RouteMatch::kSafeRegex:
      path.kind = Kind::regex;
      path.text = match.safe_regex().regex();
      path.regex = read_regex(scope.field("safe_regex"), match.safe_regex());
      break;
    case route_v3::RouteMatch::kPathSeparatedPrefix:
      path.kind = Kind::path_separated_prefix;
      path.text = match.path_separated_prefix();
      if (!path.text.starts_with('/') || path.text.size() < 2 || path.text.ends_with('/') ||
          path.text.find_first_of("?#") != std::string::npos) {
        scope.error(
            "path_separated_prefix",
            fmt::format("must begin with '/', not end with it, and hold no '?' or '#', unlike '{}'", path.text));
      }
      break;
    case route_v3::RouteMatch::kConnectMatcher:
      path.kind = Kind::connect;
      break;
    case route_v3::RouteMatch::PATH_SPECIFIER_NOT_SET:
      scope.error("one of prefix, path, safe_regex, path_separated_prefix, connect_matcher is required");
      break;
  }
}

}  // namespace

std::optional<model::Regex> read_regex(const Scope& scope, const matcher_v3::RegexMatcher& regex) {
  require(scope, "regex", regex.regex());
  Result<model::Regex> compiled = model::Regex::compile(regex.regex());
  if (!compiled) {
    scope.error("regex", compiled.error().message);
    return std::nullopt;
  }
  return std::move(*compiled);
}

std::optional<model::Regex> read_rewrite(const Scope& scope, const matcher_v3::RegexMatchAndSubstitute& rewrite) {
  if (!rewrite.has_pattern()) {
    scope.error("pattern", "is required");
    return std::nullopt;
  }
  auto regex = read_regex(scope.field("pattern"), rewrite.pattern());
  if (regex) {
    if (const auto fits = regex->check_substitution(rewrite.substitution()); !fits) {
      scope.error("substitution", fits.error().message);
    }
  }
  return regex;
}

StringMatch read_string_match(const Scope& scope, const matcher_v3::StringMatcher& matcher) {
  using Matcher = matcher_v3::StringMatcher;
  const bool ignore_case = matcher.ignore_case();
  switch (matcher.match_pattern_case()) {
    case Matcher::kExact:
      return string_match(scope.field("exact"), StringMatch::Kind::exact, matcher.exact(), ignore_case);
    case Matcher::kPrefix:
      return string_match(scope.field("prefix"), StringMatch::Kind::prefix, matcher.prefix(), ignore_case);
    case Matcher::kSuffix:
      return string_match(scope.field("suffix"), StringMatch::Kind::suffix, matcher.suffix(), ignore_case);
    case Matcher::kContains:
      return string_match(scope.field("contains"), StringMatch::Kind::contains, matcher.contains(), ignore_case);
    case Matcher::kSafeRegex:
      if (ignore_case) {
        scope.error("ignore_case", "has no effect on safe_regex: begin the pattern with (?i)");
      }
      return regex_match(scope.field("safe_regex"), matcher.safe_regex());
    case Matcher::MATCH_PATTERN_NOT_SET:
      break;
  }
  scope.error("one of exact, prefix, suffix, contains, safe_regex is required");
  return {};
}

model::HeaderMatch read_header_match(const Scope& scope, const route_v3::HeaderMatcher& matcher) {
  using Matcher = route_v3::HeaderMatcher;
  using Kind = model::HeaderMatch::Kind;
  model::HeaderMatch result;
  result.name = read_header_name(scope.field("name"), matcher.name());
  result.invert = matcher.invert_match();
  result.treat_missing_as_empty = matcher.treat_missing_header_as_empty();
  const auto text = [&](std::string_view name, StringMatch::Kind kind, const std::string& value) {
    result.kind = Kind::string;
    result.string = string_match(scope.field(name), kind, value, false);
  };
  switch (matcher.header_match_specifier_case()) {
    case Matcher::kExactMatch:
      text("exact_match", StringMatch::Kind::exact, matcher.exact_match());
      break;
    case Matcher::kPrefixMatch:
      text("prefix_match", StringMatch::Kind::prefix, matcher.prefix_match());
      break;
    case Matcher::kSuffixMatch:
      text("suffix_match", StringMatch::Kind::suffix, matcher.suffix_match());
      break;
    case Matcher::kContainsMatch:
      text("contains_match", StringMatch::Kind::contains, matcher.contains_match());
      break;
    case Matcher::kSafeRegexMatch:
      result.kind = Kind::string;
      result.string = regex_match(scope.field("safe_regex_match"), matcher.safe_regex_match());
      break;
    case Matcher::kStringMatch:
      result.kind = Kind::string;
      result.string = read_string_match(scope.field("string_match"), matcher.string_match());
      break;
    case Matcher::kRangeMatch:
      result.kind = Kind::range;
      result.range_start = matcher.range_match().start();
      result.range_end = matcher.range_match().end();
      if (result.range_start >= result.range_end) {
        scope.error("range_match",
                    fmt::format("holds nothing: start {} is not below end {}", result.range_start, result.range_end));
      }
      break;
    case Matcher::kPresentMatch:
      result.kind = matcher.present_match() ? Kind::present : Kind::absent;
      break;
    case Matcher::HEADER_MATCH_SPECIFIER_NOT_SET:
      result.kind = Kind::present;
      break;
  }
  return result;
}

model::RouteMatch read_route_match(const Scope& scope, const route_v3::RouteMatch& match) {
  model::RouteMatch result;
  read_path(scope, match, result.path);
  if (match.has_case_sensitive()) {
    result.path.case_sensitive = match.case_sensitive().value();
    if (!result.path.case_sensitive && result.path.kind == model::PathMatch::Kind::regex) {
      scope.error("case_sensitive", "has no effect on safe_regex: begin the pattern with (?i)");
    }
  }
  const Scope headers = scope.field("headers");
  for (int i = 0; i < match.headers_size(); ++i) {
    result.headers.push_back(read_header_match(headers.item(static_cast<std::size_t>(i)), match.headers(i)));
  }
  const Scope parameters = scope.field("query_parameters");
  for (int i = 0; i < match.query_parameters_size(); ++i) {
    const route_v3::QueryParameterMatcher& from = match.query_parameters(i);
    const Scope at = parameters.item(static_cast<std::size_t>(i));
    model::QueryParameterMatch& to = result.query_parameters.emplace_back();
    require(at, "name", from.name());
    to.name = from.name();
    if (from.has_string_match()) {
      to.string = read_string_match(at.field("string_match"), from.string_match());
    } else if (from.query_parameter_match_specifier_case() == route_v3::QueryParameterMatcher::kPresentMatch) {
      to.present = from.present_match();
    }
  }
  if (match.has_runtime_fraction()) {
    if (!match.runtime_fraction().has_default_value()) {
      const Scope fraction = scope.field("runtime_fraction");
      fraction.error("default_value", "is required");
    }
    result.runtime_fraction_per_million = per_million(match.runtime_fraction().default_value());
  }
  return result;
}

}  // namespace remora::xds
