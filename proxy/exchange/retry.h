// RetryState: may this request be tried again, and when? The policy of its route, what an insider's x-envoy-* headers
// say, and our own rule: a request whose head was written is never replayed unless its method is idempotent or the
// route says retry_non_idempotent. Pure; owned by Exchange; worker thread. Source: Envoy's RetryStateImpl,
// x-envoy-retry-on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

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
  limit_exceeded,  // one holds, but num_retries are used up
  not_replayable,  // one holds, but the request may have been acted on
};

struct RetryDecision {
  RetryVerdict verdict = RetryVerdict::no;
  Milliseconds after{0};
  metrics::RetryReason reason = metrics::RetryReason::other;
};

class RetryState {
 public:
  // `policy` may be null, and lives in the snapshot that the exchange pins. `insider`: x-envoy-* headers count. Either
  // way those that steer retries and timeouts are removed from the head.
  RetryState(const model::RetryPolicy* policy, http::RequestHead& head, bool insider);

  RetryDecision on_response(int status, const http::HeaderList& headers, Random& random);
  RetryDecision on_failure(const Failure& failure, Random& random);

  // The keep-alive race: an upstream closed an idle connection just as it was reused, so that it very likely never saw
  // the request. May it be sent once more, whatever the policy says and without counting as a retry?
  bool may_replay_race(const Failure& failure) const;

  bool idempotent() const { return idempotent_; }
  // May the request be sent again after its head was written?
  bool replayable() const { return idempotent_ || (policy_ != nullptr && policy_->retry_non_idempotent); }
  // 0: none, as is one that is not shorter than the request's own (0: none).
  Milliseconds per_try_timeout(Milliseconds request_timeout) const {
    return request_timeout.count() > 0 && per_try_timeout_ >= request_timeout ? Milliseconds(0) : per_try_timeout_;
  }
  std::optional<Milliseconds> request_timeout() const { return request_timeout_; }  // x-envoy-upstream-rq-timeout-ms
  // x-envoy-upstream-rq-timeout-alt-response: a timeout is answered by 204.
  bool timeout_alt_response() const { return timeout_alt_response_; }
  std::uint32_t retries_left() const { return left_; }

  void note_attempt(upstream::LbEndpoint& endpoint);
  // Endpoints not to pick again, where the policy says previous_hosts.
  std::span<upstream::LbEndpoint* const> tried() const { return {tried_.data(), tried_count_}; }
  std::uint32_t more_choices() const { return policy_ == nullptr ? 0 : policy_->host_selection_retry_max_attempts; }

 private:
  void read_headers(const http::HeaderList& headers);
  std::optional<metrics::RetryReason> reason_for(int status, const http::HeaderList& headers) const;
  std::optional<metrics::RetryReason> reason_for(const Failure& failure) const;
  bool retriable_code(int status) const;
  RetryDecision decide(metrics::RetryReason reason, bool head_written, Random& random);
  Milliseconds next_back_off(Random& random);

  const model::RetryPolicy* policy_;
  std::uint32_t conditions_ = 0;
  std::uint32_t left_ = 1;  // Envoy's num_retries where a header asks and no policy says
  Milliseconds next_interval_{25};
  Milliseconds max_interval_{250};
  bool idempotent_ = false;
  Milliseconds per_try_timeout_{0};
  std::optional<Milliseconds> request_timeout_;
  bool timeout_alt_response_ = false;
  std::array<int, 8> extra_codes_{};  // x-envoy-retriable-status-codes
  std::uint8_t extra_code_count_ = 0;
  std::array<upstream::LbEndpoint*, 4> tried_{};
  std::uint8_t tried_count_ = 0;
};

// The conditions that x-envoy-retry-on names, as bits; words that we do not know are skipped, as Envoy does.
std::uint32_t parse_retry_on(std::string_view text);

}  // namespace remora::proxy
