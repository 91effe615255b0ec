#include "proxy/exchange/retry.h"

#include <algorithm>
#include <charconv>

namespace remora::proxy {
namespace {

using http::HeaderId;
namespace on = model::retry_on;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

template <typename Visit>
void for_each_word(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view word = list.substr(0, comma);
    while (!word.empty() && word.front() == ' ') {
      word.remove_prefix(1);
    }
    while (!word.empty() && word.back() == ' ') {
      word.remove_suffix(1);
    }
    visit(word);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
}

std::uint32_t condition(std::string_view word) {
  struct Named {
    std::string_view name;
    std::uint32_t bit;
  };
  static constexpr std::array kNames = {
      Named{"5xx", on::k5xx},
      Named{"gateway-error", on::kGatewayError},
      Named{"reset", on::kReset},
      Named{"reset-before-request", on::kResetBeforeRequest},
      Named{"connect-failure", on::kConnectFailure},
      Named{"retriable-4xx", on::kRetriable4xx},
      Named{"refused-stream", on::kRefusedStream},
      Named{"retriable-status-codes", on::kRetriableStatusCodes},
      Named{"retriable-headers", on::kRetriableHeaders},
      Named{"envoy-ratelimited", on::kEnvoyRatelimited},
  };
  for (const Named& named : kNames) {
    if (named.name == word) {
      return named.bit;
    }
  }
  return 0;
}

std::optional<std::string_view> value_of(const http::RequestHead& head, const std::string& name) {
  if (name == ":method") {
    return head.method;
  }
  if (name == ":path") {
    return head.path;
  }
  if (name == ":authority" || name == "host") {
    return head.authority;
  }
  if (head.headers.find(name) == nullptr) {
    return std::nullopt;
  }
  return head.headers.joined(name);
}

}  // namespace

RetryState::RetryState(const model::RetryPolicy* policy, http::RequestHead& head, bool insider)
    : policy_(policy), idempotent_(http::is_idempotent(head.method_id)) {
  if (policy_ != nullptr) {
    conditions_ = policy_->conditions;
    left_ = policy_->num_retries;
    per_try_timeout_ = policy_->per_try_timeout;
    const auto& wanted = policy_->retriable_request_headers;
    if (!wanted.empty() && std::none_of(wanted.begin(), wanted.end(), [&](const model::HeaderMatch& match) {
          return match.matches(value_of(head, match.name));
        })) {
      conditions_ = 0;
    }
  }
  if (!insider) {
    return;
  }
  http::HeaderList& headers = head.headers;
  if (const auto* header = headers.find(HeaderId::x_envoy_retry_on)) {
    if (policy_ == nullptr) {
      left_ = 1;
    }
    for_each_word(header->value, [this](std::string_view word) { conditions_ |= condition(word); });
    headers.remove(HeaderId::x_envoy_retry_on);
  }
  if (const auto value = number(headers.value(HeaderId::x_envoy_max_retries))) {
    left_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(*value, 1000));
  }
  headers.remove(HeaderId::x_envoy_max_retries);
  for_each_word(headers.value(HeaderId::x_envoy_retriable_status_codes), [this](std::string_view word) {
    if (const auto code = number(word); code && extra_code_count_ < extra_codes_.size()) {
      extra_codes_[extra_code_count_++] = static_cast<int>(*code);
    }
  });
  headers.remove(HeaderId::x_envoy_retriable_status_codes);
  if (const auto value = number(headers.value(HeaderId::x_envoy_upstream_rq_timeout_ms))) {
    request_timeout_ = Milliseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*value, 86'400'000)));
  }
  headers.remove(HeaderId::x_envoy_upstream_rq_timeout_ms);
  if (const auto value = number(headers.value(HeaderId::x_envoy_upstream_rq_per_try_timeout_ms))) {
    per_try_timeout_ = Milliseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*value, 86'400'000)));
  }
  headers.remove(HeaderId::x_envoy_upstream_rq_per_try_timeout_ms);
}

RetryDecision RetryState::on_response(int status, const http::HeaderList& headers, Random& random) {
  using metrics::RetryReason;
  if (conditions_ == 0) {
    return {};
  }
  const bool overloaded = headers.find(HeaderId::x_envoy_overloaded) != nullptr;
  if (overloaded) {
    return {};  // as Envoy: whoever is overloaded is not asked again
  }
  if ((conditions_ & on::k5xx) != 0 && status >= 500 && status <= 599) {
    return decide(RetryReason::status_5xx, true, random);
  }
  if ((conditions_ & on::kGatewayError) != 0 && status >= 502 && status <= 504) {
    return decide(RetryReason::gateway_error, true, random);
  }
  if ((conditions_ & on::kRetriable4xx) != 0 && status == 409) {
    return decide(RetryReason::retriable_4xx, true, random);
  }
  if ((conditions_ & on::kRetriableStatusCodes) != 0) {
    const bool in_policy =
        policy_ != nullptr && std::find(policy_->retriable_status_codes.begin(), policy_->retriable_status_codes.end(),
                                        status) != policy_->retriable_status_codes.end();
    const auto end = extra_codes_.begin() + extra_code_count_;
    if (in_policy || std::find(extra_codes_.begin(), end, status) != end) {
      return decide(RetryReason::retriable_status_code, true, random);
    }
  }
  if ((conditions_ & on::kRetriableHeaders) != 0 && policy_ != nullptr) {
    for (const model::HeaderMatch& match : policy_->retriable_headers) {
      const bool present = headers.find(match.name) != nullptr;
      if (match.matches(present ? std::optional(headers.joined(match.name)) : std::nullopt)) {
        return decide(RetryReason::retriable_header, true, random);
      }
    }
  }
  return {};
}

RetryDecision RetryState::on_failure(const Failure& failure, Random& random) {
  using metrics::RetryReason;
  switch (failure.kind) {
    case FailureKind::connect_failed:
    case FailureKind::connect_timeout:
      if ((conditions_ & (on::kConnectFailure | on::k5xx | on::kGatewayError | on::kReset | on::kResetBeforeRequest)) !=
          0) {
        return decide(RetryReason::connect_failure, false, random);
      }
      return {};
    case FailureKind::closed_before_response:
    case FailureKind::reset_before_response:
    case FailureKind::protocol_error:
      if ((conditions_ & (on::kReset | on::k5xx | on::kGatewayError)) != 0 ||
          ((conditions_ & on::kResetBeforeRequest) != 0 && !failure.head_written)) {
        return decide(RetryReason::reset, failure.head_written, random);
      }
      return {};
    case FailureKind::per_try_timeout:
      if ((conditions_ & (on::k5xx | on::kGatewayError | on::kReset)) != 0) {
        return decide(RetryReason::per_try_timeout, failure.head_written, random);
      }
      return {};
    default:
      return {};
  }
}

RetryDecision RetryState::decide(metrics::RetryReason reason, bool head_written, Random& random) {
  if (head_written && !replayable()) {
    return {RetryVerdict::not_replayable, {}, reason};
  }
  if (left_ == 0) {
    return {RetryVerdict::limit_exceeded, {}, reason};
  }
  --left_;
  ++done_;
  // Envoy's JitteredExponentialBackOffStrategy: a random time below base * 2^n - 1, capped.
  const std::int64_t base = policy_ == nullptr ? 25 : std::max<std::int64_t>(1, policy_->base_interval.count());
  const std::int64_t cap =
      policy_ == nullptr ? 250 : std::max(base, static_cast<std::int64_t>(policy_->max_interval.count()));
  const std::int64_t bound = std::min(cap, base * ((std::int64_t{1} << std::min<std::uint32_t>(done_, 20)) - 1));
  return {RetryVerdict::yes, Milliseconds(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound)))),
          reason};
}

void RetryState::note_attempt(upstream::LbEndpoint& endpoint) {
  if (policy_ != nullptr && policy_->previous_hosts && tried_count_ < tried_.size()) {
    tried_[tried_count_++] = &endpoint;
  }
}

}  // namespace remora::proxy
