#include "proxy/model/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/nearest.h"

namespace remora::model {
namespace {

enum class Argument : std::uint8_t { none, optional, required };

struct Operator {
  std::string_view name;
  FormatOp op;
  Argument argument = Argument::none;
  bool length = false;   // whether ":Z" may follow
  bool headers = false;  // the argument is "X?Y", names of headers
};

using enum FormatOp;
constexpr auto kOperators = std::to_array<Operator>({
    {"REQ", req, Argument::required, true, true},
    {"REQUEST_HEADER", req, Argument::required, true, true},
    {"RESP", resp, Argument::required, true, true},
    {"RESPONSE_HEADER", resp, Argument::required, true, true},
    {"TRAILER", trailer, Argument::required, true, true},
    {"RESPONSE_TRAILER", trailer, Argument::required, true, true},
    {"START_TIME", start_time, Argument::optional},
    {"PROTOCOL", protocol},
    {"RESPONSE_CODE", response_code},
    {"RESPONSE_CODE_DETAILS", response_code_details, Argument::optional},
    {"RESPONSE_FLAGS", response_flags},
    {"RESPONSE_FLAGS_LONG", response_flags_long},
    {"BYTES_RECEIVED", bytes_received},
    {"BYTES_SENT", bytes_sent},
    {"DURATION", duration},
    {"REQUEST_DURATION", request_duration},
    {"REQUEST_TX_DURATION", request_tx_duration},
    {"RESPONSE_DURATION", response_duration},
    {"RESPONSE_TX_DURATION", response_tx_duration},
    {"UPSTREAM_HOST", upstream_host},
    {"UPSTREAM_REMOTE_ADDRESS", upstream_host},
    {"UPSTREAM_CLUSTER", upstream_cluster},
    {"UPSTREAM_LOCAL_ADDRESS", upstream_local_address},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", upstream_transport_failure_reason},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", upstream_request_attempt_count},
    {"DOWNSTREAM_REMOTE_ADDRESS", downstream_remote_address},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", downstream_remote_address_without_port},
    {"DOWNSTREAM_REMOTE_PORT", downstream_remote_port},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", downstream_direct_remote_address},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", downstream_direct_remote_address_without_port},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", downstream_direct_remote_port},
    {"DOWNSTREAM_LOCAL_ADDRESS", downstream_local_address},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", downstream_local_address_without_port},
    {"DOWNSTREAM_LOCAL_PORT", downstream_local_port},
    {"CONNECTION_ID", connection_id},
    {"CONNECTION_TERMINATION_DETAILS", connection_termination_details},
    {"ROUTE_NAME", route_name},
    {"VIRTUAL_CLUSTER_NAME", virtual_cluster_name},
    {"HOSTNAME", hostname},
    {"REQUESTED_SERVER_NAME", requested_server_name},
    {"TRACE_ID", trace_id},
    {"STREAM_ID", stream_id},
    {"ENVIRONMENT", environment, Argument::required, true},
    {"REMORA_OWN_DURATION", remora_own_duration},
    {"REMORA_REASON", remora_reason},
});

constexpr auto kNames = [] {
  std::array<std::string_view, kOperators.size()> names;
  std::ranges::transform(kOperators, names.begin(), &Operator::name);
  return names;
}();

constexpr std::size_t kMaxParts = 1000;  // far above what people write; bounds what a hostile file costs

bool is_operator_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

bool is_header_name(std::string_view name) {
  if (name.starts_with(':')) {
    name.remove_prefix(1);
  }
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// What stands between the percent signs of one operator.
struct Token {
  std::size_t offset = 0;  // of the first '%'
  std::size_t end = 0;     // after the last '%'
  std::string_view name;
  std::optional<std::string_view> argument;
  std::optional<std::string_view> length;
};

// The tail of an operator from `at`: an optional ":123", then '%'. False when it is anything else.
bool take_tail(std::string_view text, std::size_t at, Token& token) {
  std::size_t end = at;
  if (end < text.size() && text[end] == ':') {
    ++end;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') {
      ++end;
    }
    if (end == at + 1) {
      return false;
    }
    token.length = text.substr(at + 1, end - at - 1);
  }
  if (end >= text.size() || text[end] != '%') {
    token.length.reset();
    return false;
  }
  token.end = end + 1;
  return true;
}

Result<Token> take_token(std::string_view text, std::size_t offset) {
  Token token;
  token.offset = offset;
  std::size_t at = offset + 1;
  while (at < text.size() && is_operator_char(text[at])) {
    ++at;
  }
  token.name = text.substr(offset + 1, at - offset - 1);
  if (token.name.empty()) {
    return fail(fmt::format("the '%' at offset {} begins no operator: write '%%' for a percent sign", offset));
  }
  if (at < text.size() && text[at] == '(') {
    // The argument may hold parentheses and percent signs itself: it ends at the first ')' that ends the operator.
    for (std::size_t close = text.find(')', at); close != std::string_view::npos; close = text.find(')', close + 1)) {
      if (take_tail(text, close + 1, token)) {
        token.argument = text.substr(at + 1, close - at - 1);
        return token;
      }
    }
  } else if (take_tail(text, at, token)) {
    return token;
  }
  return fail(
      fmt::format("the operator '%{}' at offset {} has no end: it is %NAME%, %NAME(argument)% or "
                  "%NAME(argument):length%, and '%%' is a percent sign",
                  token.name, offset));
}

Result<FormatPart> compile_headers(const Token& token, FormatPart part) {
  const std::string_view argument = *token.argument;
  const std::size_t question = argument.find('?');
  const std::string_view first = argument.substr(0, question);
  const std::string_view second =
      question == std::string_view::npos ? std::string_view() : argument.substr(question + 1);
  if (!is_header_name(first) || (question != std::string_view::npos && !is_header_name(second))) {
    return fail(fmt::format("the operator '%{}%' at offset {} takes one or two header names (X or X?Y), not '{}'",
                            token.name, token.offset, argument));
  }
  part.text = lower(first);
  part.alternative = lower(second);
  return part;
}

Result<FormatPart> compile(const Token& token) {
  const auto* known = std::ranges::find(kOperators, token.name, &Operator::name);
  if (known == kOperators.end()) {
    return fail(fmt::format("there is no operator '%{}%' (at offset {}){}", token.name, token.offset,
                            did_you_mean(token.name, kNames)));
  }
  if (known->argument == Argument::required && (!token.argument || token.argument->empty())) {
    return fail(
        fmt::format("the operator '%{}%' at offset {} needs an argument in parentheses", token.name, token.offset));
  }
  if (known->argument == Argument::none && token.argument) {
    return fail(fmt::format("the operator '%{}%' at offset {} takes no argument", token.name, token.offset));
  }
  FormatPart part;
  part.op = known->op;
  if (token.length) {
    std::size_t length = 0;
    const auto [end, failure] =
        std::from_chars(token.length->data(), token.length->data() + token.length->size(), length);
    if (!known->length || failure != std::errc()) {
      return fail(fmt::format("the operator '%{}%' at offset {} {}", token.name, token.offset,
                              known->length ? "has too great a length" : "takes no ':length'"));
    }
    part.max_length = length;
  }
  if (known->headers) {
    return compile_headers(token, std::move(part));
  }
  part.text = std::string(token.argument.value_or(std::string_view()));
  return part;
}

}  // namespace

Result<Format> Format::parse(std::string_view text) {
  Format format;
  format.source_ = text;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) {
      format.parts_.push_back({FormatOp::literal, std::move(literal), {}, {}});
      literal.clear();
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '%') {
      literal += text[at++];
      continue;
    }
    if (text.substr(at, 2) == "%%") {
      literal += '%';
      at += 2;
      continue;
    }
    const Result<Token> token = take_token(text, at);
    if (!token) {
      return std::unexpected(token.error());
    }
    Result<FormatPart> part = compile(*token);
    if (!part) {
      return std::unexpected(std::move(part.error()));
    }
    flush();
    format.parts_.push_back(std::move(*part));
    if (format.parts_.size() > kMaxParts) {
      return fail(fmt::format("more than {} operators", kMaxParts));
    }
    at = token->end;
  }
  flush();
  return format;
}

std::vector<std::string_view> Format::operators() {
  std::vector<std::string_view> names(kNames.begin(), kNames.end());
  std::ranges::sort(names);
  return names;
}

}  // namespace remora::model
