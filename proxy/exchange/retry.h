// RetryState: may this request be tried again, and when? The policy of its route, what an insider's x-envoy-* headers
// say, and our own rule: a request whose head was written is never replayed unless its method is idempotent or the
// route says retry_non_idempotent. Pure; owned by Exchange; worker thread. Source: Envoy's RetryStateImpl,
// x-envoy-retry-on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/http/message.h"
#include "metrics/series.h"
#include "proxy/exchange/failure.h"
#include "proxy/model/route.h"
#include "proxy/upstream/load_balancer.h"

namespace remora::proxy {

enum class RetryVerdict : std::uint8_t {
  no,  // no condition of the policy holds
  yes,
  limit_exceeded,  // it holds, but num_retries are used up
  not_replayable,  // it holds, but the request may have been acted on
};

struct RetryDecision {
  RetryVerdict verdict = RetryVerdict::no;
  Milliseconds after{0};
  metrics::RetryReason reason = metrics::RetryReason::other;
};

class RetryState {
 public:
  // `policy` may be null, and lives in the snapshot that the exchange pins. `insider`: x-envoy-* headers count; they
  // are removed from the head.
  RetryState(const model::RetryPolicy* policy, http::RequestHead& head, bool insider);

  RetryDecision on_response(int status, const http::HeaderList& headers, Random& random);
  RetryDecision on_failure(const Failure& failure, Random& random);

  bool idempotent() const { return idempotent_; }
  // May the request be sent again after its head was written?
  bool replayable() const { return idempotent_ || (policy_ != nullptr && policy_->retry_non_idempotent); }
  Milliseconds per_try_timeout() const { return per_try_timeout_; }
  std::optional<Milliseconds> request_timeout() const { return request_timeout_; }  // x-envoy-upstream-rq-timeout-ms

  void note_attempt(upstream::LbEndpoint& endpoint);
  // Endpoints not to pick again, where the policy says previous_hosts.
  std::span<upstream::LbEndpoint* const> tried() const { return {tried_.data(), tried_count_}; }
  std::uint32_t more_choices() const { return policy_ == nullptr ? 0 : policy_->host_selection_retry_max_attempts; }

 private:
  RetryDecision decide(metrics::RetryReason reason, bool head_written, Random& random);

  const model::RetryPolicy* policy_;
  std::uint32_t conditions_ = 0;
  std::uint32_t left_ = 0;
  std::uint32_t done_ = 0;
  bool idempotent_ = false;
  Milliseconds per_try_timeout_{0};
  std::optional<Milliseconds> request_timeout_;
  std::array<int, 4> extra_codes_{};  // x-envoy-retriable-status-codes
  std::uint8_t extra_code_count_ = 0;
  std::array<upstream::LbEndpoint*, 4> tried_{};
  std::uint8_t tried_count_ = 0;
};

}  // namespace remora::proxy
