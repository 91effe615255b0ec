// Exchange's attempts: where they go, what is sent, and what happens when one fails.
#include <algorithm>
#include <cerrno>
#include <charconv>

#include "proxy/exchange/exchange.h"

namespace remora::proxy {
namespace {

// A race is replayed on a new connection, or one that was in use a moment ago; that may be closed in turn, but hardly
// thrice. More would let one request that crashes its server take down many.
constexpr int kMaxRaceReplays = 3;
// Of a body that need not be kept for replay, so much is: the kernel may not have taken any of it when the connection
// ends.
constexpr std::size_t kKeptUnwritten = 64 * 1024;

}  // namespace

using http::HeaderId;

bool Exchange::replayable() const { return retry_ && retry_->replayable(); }

void Exchange::start_attempt() {
  const MonotonicTime now = worker_.loop.now();
  admission_ = cluster_->breaker().admit(now);
  if (!admission_.admitted()) {
    cluster_->series().overflows[metrics::Overflow::breaker_open].add();
    fail_request({.kind = FailureKind::breaker_open}, RetryVerdict::no);
    return;
  }
  breaker_pending_ = true;
  upstream::EndpointState* endpoint = cluster_->pick_for_request(
      {.random = worker_.random, .avoid = retry_->tried(), .more_choices = retry_->more_choices(), .hash = hash_.hash});
  if (endpoint == nullptr) {
    fail_request({.kind = FailureKind::no_healthy_endpoint}, RetryVerdict::no);
    return;
  }
  retry_->note_attempt(*endpoint);
  cluster_->series().attempts.add();
  cluster_config_ = cluster_->pin();  // this attempt's: the endpoint is part of it
  info_.cluster = &**cluster_config_;
  endpoint_ = Pin<upstream::EndpointState>(*endpoint);
  info_.endpoint = endpoint->config;
  info_.upstream_host_text = endpoint->shared->text();
  enter(State::dispatched);

  http::HeaderList& headers = request_->headers;
  const Milliseconds per_try = retry_->per_try_timeout(timeout_);
  if (!listener_.config->http().suppress_envoy_headers && timeout_.count() > 0) {
    Milliseconds left = timeout_;
    if (info_.attempts > 1 && request_complete_) {
      const MonotonicTime from = has_body_ ? info_.request_end : info_.start;
      left -= std::chrono::duration_cast<Milliseconds>(now - from);
    }
    if (per_try.count() > 0 && per_try < left) {
      left = per_try;
    }
    const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 1));
    headers.set(HeaderId::x_envoy_expected_rq_timeout_ms, arena_.decimal(ms));
  }
  if (info_.virtual_host->include_request_attempt_count) {
    headers.set(HeaderId::x_envoy_attempt_count, arena_.decimal(info_.attempts));
  }
  if (per_try.count() > 0 && !tunnel_) {
    worker_.loop.arm(per_try_timer_, per_try);
  }

  http::BodyLength length;
  if (has_body_) {
    const http::Header* known = headers.find(HeaderId::content_length);
    length.kind = known == nullptr ? http::BodyLength::Kind::chunked : http::BodyLength::Kind::known;
    if (known != nullptr) {
      std::from_chars(known->value.data(), known->value.data() + known->value.size(), length.length);
    }
  }
  attempt_.emplace(arena_, *this, *endpoint, *request_, length);
  if (auto started = attempt_->start(); !started) {
    cluster_->series().overflows[metrics::Overflow::pending_requests].add();
    on_attempt_failed(started.error());
  }
}

void Exchange::on_attempt_ready() {
  touch();
  info_.upstream_begin = worker_.loop.now();
  cluster_->report_ready(attempt_->endpoint());
  if (!listener_.config->http().access_logs.empty()) {
    info_.upstream_local_text = arena_.copy(attempt_->local_text());
  }
  send_buffered_request();
}

void Exchange::send_buffered_request() {
  if (!has_body_) {
    info_.upstream_sent = worker_.loop.now();
    return;
  }
  body_.for_each([this](std::string_view part) { attempt_->send_body(part, false); });
  if (!keep_body_ && body_.size() > std::min<std::uint64_t>(kKeptUnwritten, buffer_limit_)) {
    body_.clear();
    body_lost_ = true;
  }
  if (request_complete_) {
    end_upstream_request();
  } else if (body_paused_ && !attempt_->upstream_full()) {
    body_paused_ = false;
    owner_.resume_request();
  }
}

void Exchange::end_upstream_request() {
  info_.upstream_sent = worker_.loop.now();
  if (request_trailers_ != nullptr) {
    attempt_->send_trailers(*request_trailers_);
  } else {
    attempt_->send_body({}, true);
  }
}

// The breaker hears of each admission once.
void Exchange::settle_admission(Outcome outcome) {
  if (!breaker_pending_) {
    return;
  }
  breaker_pending_ = false;
  switch (outcome) {
    case Outcome::success:
      cluster_->breaker().on_success(admission_);
      break;
    case Outcome::failure:
      cluster_->breaker().on_failure(admission_, worker_.loop.now());
      break;
    case Outcome::none:
      cluster_->breaker().abandon(admission_);
      return;
  }
  cluster_->show_breaker();
}

void Exchange::on_attempt_drained() {
  if (body_paused_) {
    body_paused_ = false;
    owner_.resume_request();
  }
}

void Exchange::drop_attempt() {
  per_try_timer_.cancel();
  backoff_timer_.cancel();
  attempt_.reset();
}

void Exchange::on_attempt_failed(const Failure& failure) {
  touch();
  const MonotonicTime now = worker_.loop.now();
  upstream::EndpointState& endpoint = attempt_->endpoint();
  if (info_.upstream_local_text.empty()) {
    info_.upstream_local_text = arena_.copy(attempt_->local_text());
  }
  endpoint.cells().requests_error.add();
  const bool timeout = failure.kind == FailureKind::per_try_timeout || failure.kind == FailureKind::connect_timeout;
  if (failure.kind == FailureKind::connect_failed || failure.kind == FailureKind::connect_timeout) {
    cluster_->series()
        .connect_failures[timeout                                              ? metrics::ConnectFailure::timeout
                          : failure.error == ECONNREFUSED                      ? metrics::ConnectFailure::refused
                          : failure.error == ECONNRESET                        ? metrics::ConnectFailure::reset
                          : failure.error == EMFILE || failure.error == ENFILE ? metrics::ConnectFailure::no_fds
                          : failure.error == EHOSTUNREACH || failure.error == ENETUNREACH
                              ? metrics::ConnectFailure::unreachable
                              : metrics::ConnectFailure::other]
        .add();
  }
  const bool overflow =
      failure.kind == FailureKind::overflow_pending || failure.kind == FailureKind::overflow_connections;

  // The keep-alive race: the upstream closed an idle connection as we wrote to it. Nobody needs to know.
  const bool race = race_replays_ < kMaxRaceReplays && retry_->may_replay_race(failure) && !body_lost_;
  if (race) {
    ++race_replays_;
    endpoint.pool().close_idle();  // an upstream that closed one idle connection is closing others
    cluster_->series().keepalive_races.add();
    settle_admission(Outcome::none);
    attempt_.reset();
    start_attempt();
    return;
  }

  if (!overflow) {
    cluster_->report_local_failure(endpoint, timeout, now, worker_.random);
  }
  settle_admission(overflow ? Outcome::none : Outcome::failure);
  if (response_begun_) {
    drop_attempt();
    const bool broken = failure.kind == FailureKind::protocol_error;
    info_.flags |= broken ? flag::kUpstreamProtocolError : flag::kUpstreamConnectionTermination;
    info_.response_code_details = broken ? "upstream_reset_after_response_started{protocol_error}"
                                         : "upstream_reset_after_response_started{connection_termination}";
    cut_response();
    return;
  }
  RetryDecision decision = retry_->on_failure(failure, worker_.random);
  if (decision.verdict == RetryVerdict::yes && try_again(decision)) {
    return;
  }
  drop_attempt();
  fail_request(failure, decision.verdict);
}

// False: it may not be tried again after all.
bool Exchange::try_again(RetryDecision decision) {
  if (body_lost_) {
    cluster_->series()
        .retries_denied[replayable() ? metrics::RetryDenied::body_too_large : metrics::RetryDenied::not_replayable]
        .add();
    return false;
  }
  if (!holds_retry_limit_ && !cluster_->limits().try_acquire(upstream::ClusterLimits::Kind::retries)) {
    cluster_->series().retries_denied[metrics::RetryDenied::budget].add();
    info_.flags |= flag::kUpstreamOverflow;
    return false;
  }
  holds_retry_limit_ = true;
  cluster_->series().retries[decision.reason].add();
  drop_attempt();
  info_.response_begin = {};
  enter(State::backing_off);
  worker_.loop.arm(backoff_timer_, decision.after);
  return true;
}

void Exchange::on_backoff_over() {
  touch();
  ++info_.attempts;
  start_attempt();
}

void Exchange::fail_request(const Failure& failure, RetryVerdict verdict) {
  settle_admission(Outcome::none);
  const bool retried = info_.attempts > 1;
  std::string_view note;
  switch (verdict) {
    case RetryVerdict::limit_exceeded:
      info_.flags |= flag::kUpstreamRetryLimitExceeded;
      cluster_->series().retries_denied[metrics::RetryDenied::limit].add();
      note = "num_retries is used up";
      break;
    case RetryVerdict::not_replayable:
      cluster_->series().retries_denied[metrics::RetryDenied::not_replayable].add();
      note =
          "the request may have been acted on, and its method is not idempotent "
          "(metadata.filter_metadata.remora.retry_non_idempotent allows it)";
      break;
    default:
      break;
  }
  LocalReply reply = reply_for(failure, info_, retried, note, arena_);
  if (reply.status == 504 && retry_->timeout_alt_response()) {
    reply.status = 204;
    reply.body = {};
  }
  local_reply(reply);
}

}  // namespace remora::proxy
