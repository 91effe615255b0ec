#include "proxy/exchange/retry.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace remora::proxy {
namespace {

using http::HeaderId;
using metrics::RetryReason;
namespace on = model::retry_on;

constexpr std::array<std::pair<std::string_view, std::uint32_t>, 11> kConditions = {{
    {"5xx", on::k5xx},
    {"gateway-error", on::kGatewayError},
    {"reset", on::kReset},
    {"reset-before-request", on::kResetBeforeRequest},
    {"connect-failure", on::kConnectFailure},
    {"retriable-4xx", on::kRetriable4xx},
    {"refused-stream", on::kRefusedStream},
    {"retriable-status-codes", on::kRetriableStatusCodes},
    {"retriable-headers", on::kRetriableHeaders},
    {"envoy-ratelimited", on::kEnvoyRatelimited},
    {"http3-post-connect-failure", on::kHttp3PostConnectFailure},
}};

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

template <typename Visit>
void for_each_word(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (const std::string_view word = trim(list.substr(0, end)); !word.empty()) {
      visit(word);
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

std::optional<std::uint32_t> number(std::string_view text) {
  text = trim(text);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

bool matches(const model::HeaderMatch& match, const http::RequestHead& head) {
  if (match.name == ":method") {
    return match.matches(head.method);
  }
  if (match.name == ":path") {
    return match.matches(head.path);
  }
  if (match.name == ":authority" || match.name == "host") {
    return match.matches(head.authority);
  }
  return match.matches_any(head.headers);
}

}  // namespace

std::uint32_t parse_retry_on(std::string_view text) {
  std::uint32_t conditions = 0;
  for_each_word(text, [&](std::string_view word) {
    for (const auto& [name, bit] : kConditions) {
      conditions |= name == word ? bit : 0;
    }
  });
  return conditions;
}

RetryState::RetryState(const model::RetryPolicy* policy, http::RequestHead& head, bool insider)
    : policy_(policy), idempotent_(http::is_idempotent(head.method_id)) {
  if (policy != nullptr) {
    conditions_ = policy->conditions;
    left_ = policy->num_retries;
    next_interval_ = policy->base_interval;
    max_interval_ = policy->max_interval;
    per_try_timeout_ = policy->per_try_timeout;
  }
  if (insider) {
    read_headers(head.headers);
  }
  if (policy != nullptr && !policy->retriable_request_headers.empty() &&
      std::ranges::none_of(policy->retriable_request_headers,
                           [&](const model::HeaderMatch& match) { return matches(match, head); })) {
    conditions_ = 0;  // whatever asked for retries: this request is none of those that may have them
  }
  head.headers.remove_if([](const http::Header& header) {
    switch (header.id) {
      case HeaderId::x_envoy_retry_on:
      case HeaderId::x_envoy_max_retries:
      case HeaderId::x_envoy_retriable_status_codes:
      case HeaderId::x_envoy_upstream_rq_timeout_alt_response:
      case HeaderId::x_envoy_upstream_rq_timeout_ms:
      case HeaderId::x_envoy_upstream_rq_per_try_timeout_ms:
        return true;
      default:
        return false;
    }
  });
}

void RetryState::read_headers(const http::HeaderList& headers) {
  for (const http::Header& header : headers.all()) {
    switch (header.id) {
      case HeaderId::x_envoy_retry_on:
        conditions_ |= parse_retry_on(header.value);
        break;
      case HeaderId::x_envoy_max_retries:
        left_ = number(header.value).value_or(left_);
        break;
      case HeaderId::x_envoy_retriable_status_codes:
        for_each_word(header.value, [this](std::string_view word) {
          if (const auto code = number(word); code && *code < 1000 && extra_code_count_ < extra_codes_.size()) {
            extra_codes_[extra_code_count_++] = static_cast<int>(*code);
          }
        });
        break;
      case HeaderId::x_envoy_upstream_rq_timeout_ms:
        if (const auto value = number(header.value)) {
          request_timeout_ = Milliseconds(*value);
        }
        break;
      case HeaderId::x_envoy_upstream_rq_timeout_alt_response:
        timeout_alt_response_ = true;
        break;
      case HeaderId::x_envoy_upstream_rq_per_try_timeout_ms:
        if (const auto value = number(header.value)) {
          per_try_timeout_ = Milliseconds(*value);
        }
        break;
      default:
        break;
    }
  }
}

RetryDecision RetryState::on_response(int status, const http::HeaderList& headers, Random& random) {
  if (conditions_ == 0) {
    return {};
  }
  const auto reason = reason_for(status, headers);
  return reason ? decide(*reason, /*head_written=*/true, random) : RetryDecision{};
}

RetryDecision RetryState::on_failure(const Failure& failure, Random& random) {
  if (conditions_ == 0) {
    return {};
  }
  const auto reason = reason_for(failure);
  return reason ? decide(*reason, failure.head_written, random) : RetryDecision{};
}

std::optional<RetryReason> RetryState::reason_for(int status, const http::HeaderList& headers) const {
  // A rate limit is the word of a proxy before the upstream: only its own condition retries it.
  if (headers.find("x-envoy-ratelimited") != nullptr) {
    return (conditions_ & on::kEnvoyRatelimited) != 0 ? std::optional(RetryReason::ratelimited) : std::nullopt;
  }
  if ((conditions_ & on::k5xx) != 0 && status >= 500 && status < 600) {
    return RetryReason::status_5xx;
  }
  if ((conditions_ & on::kGatewayError) != 0 && status >= 502 && status <= 504) {
    return RetryReason::gateway_error;
  }
  if ((conditions_ & on::kRetriable4xx) != 0 && status == 409) {
    return RetryReason::retriable_4xx;
  }
  if ((conditions_ & on::kRetriableStatusCodes) != 0 && retriable_code(status)) {
    return RetryReason::retriable_status_code;
  }
  if ((conditions_ & on::kRetriableHeaders) != 0 && policy_ != nullptr &&
      std::ranges::any_of(policy_->retriable_headers,
                          [&](const model::HeaderMatch& match) { return match.matches_any(headers); })) {
    return RetryReason::retriable_header;
  }
  return std::nullopt;
}

bool RetryState::retriable_code(int status) const {
  const auto end = extra_codes_.begin() + extra_code_count_;
  if (std::find(extra_codes_.begin(), end, status) != end) {
    return true;
  }
  return policy_ != nullptr &&
         std::ranges::find(policy_->retriable_status_codes, status) != policy_->retriable_status_codes.end();
}

std::optional<RetryReason> RetryState::reason_for(const Failure& failure) const {
  // Where no response came, Envoy takes that for a 5xx and a gateway error.
  const bool any = (conditions_ & (on::kReset | on::k5xx | on::kGatewayError)) != 0 ||
                   ((conditions_ & on::kResetBeforeRequest) != 0 && !failure.head_written);
  switch (failure.kind) {
    case FailureKind::connect_failed:
    case FailureKind::connect_timeout:
      if (any || (conditions_ & on::kConnectFailure) != 0) {
        return RetryReason::connect_failure;
      }
      return std::nullopt;
    case FailureKind::closed_before_response:
    case FailureKind::reset_before_response:
    case FailureKind::protocol_error:
      return any ? std::optional(RetryReason::reset) : std::nullopt;
    case FailureKind::per_try_timeout:
      return any ? std::optional(RetryReason::per_try_timeout) : std::nullopt;
    case FailureKind::no_healthy_endpoint:
    case FailureKind::breaker_open:  // its point is to spare the cluster
    case FailureKind::overflow_requests:
    case FailureKind::overflow_pending:
    case FailureKind::overflow_connections:
    case FailureKind::closed_mid_response:  // the client has part of it already
    case FailureKind::request_timeout:
      break;
  }
  return std::nullopt;
}

RetryDecision RetryState::decide(RetryReason reason, bool head_written, Random& random) {
  if (head_written && !replayable()) {
    return {RetryVerdict::not_replayable, {}, reason};
  }
  if (left_ == 0) {
    return {RetryVerdict::limit_exceeded, {}, reason};
  }
  --left_;
  return {RetryVerdict::yes, next_back_off(random), reason};
}

// Fully jittered: anything in [0, base), then [0, 2 * base) and so on, up to the maximum. Envoy's documentation speaks
// of (2^n - 1) * base; its code does this.
Milliseconds RetryState::next_back_off(Random& random) {
  const Milliseconds bound = std::max(std::min(next_interval_, max_interval_), Milliseconds(1));
  next_interval_ = next_interval_ < max_interval_ / 2 ? next_interval_ * 2 : max_interval_;
  return Milliseconds(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound.count()))));
}

bool RetryState::may_replay_race(const Failure& failure) const {
  const bool closed =
      failure.kind == FailureKind::closed_before_response || failure.kind == FailureKind::reset_before_response;
  return closed && failure.reused_connection && !failure.response_begun && (!failure.head_written || replayable());
}

void RetryState::note_attempt(upstream::LbEndpoint& endpoint) {
  if (policy_ != nullptr && policy_->previous_hosts && tried_count_ < tried_.size()) {
    tried_[tried_count_++] = &endpoint;
  }
}

}  // namespace remora::proxy
