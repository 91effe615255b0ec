#include "proxy/exchange/exchange.h"

namespace remora::proxy {

Exchange* Exchange::create(WorkerContext& worker, ListenerContext& listener, ExchangeOwner& owner,
                           const ConnectionFacts& connection) {
  static_assert(sizeof(Exchange) + 512 <= BlockPool::kBlockSize, "an exchange and a small head share one block");
  void* block = worker.blocks.take();
  auto* exchange = new (block) Exchange(worker, listener, owner, connection);
  exchange->arena_.lend(exchange + 1, static_cast<char*>(block) + BlockPool::kBlockSize);
  return exchange;
}

void Exchange::destroy(Exchange* exchange) {
  BlockPool& blocks = exchange->worker_.blocks;
  exchange->~Exchange();
  blocks.give(exchange);
}

Exchange::Exchange(WorkerContext& worker, ListenerContext& listener, ExchangeOwner& owner,
                   const ConnectionFacts& connection)
    : arena_(worker.blocks),
      worker_(worker),
      listener_(listener),
      owner_(owner),
      pinned_listener_(listener),
      routes_(listener.routes.get()),
      body_(worker.blocks) {
  info_.connection = &connection;
  info_.start = worker.loop.now();
  request_timer_.bind<&Exchange::on_request_timeout>(this);
  per_try_timer_.bind<&Exchange::on_per_try_timeout>(this);
  idle_timer_.bind<&Exchange::on_idle_timeout>(this);
  body_timer_.bind<&Exchange::on_request_body_timeout>(this);
  backoff_timer_.bind<&Exchange::on_backoff_over>(this);
}

Exchange::~Exchange() { release_limits(); }

// Everything that an exchange does begins here: the turn's cost will be its own.
void Exchange::touch() {
  if (!touched) {
    touched = true;
    next_touched = worker_.touched;
    worker_.touched = this;
    worker_.loop.at_turn_over(worker_.account_task);
  }
}

void Exchange::settle(MonotonicTime turn_end) {
  touched = false;
  info_.own += turn_end - worker_.loop.now();
  if (state_ == State::ended) {
    record();
    destroy(this);
  }
}

void Exchange::note_activity() { last_activity_ = worker_.loop.now(); }

void Exchange::on_request_timeout() {
  touch();
  if (attempt_ || state_ == State::backing_off) {
    if (attempt_) {
      attempt_->endpoint().cells().requests_timeout.add();
      cluster_->report_local_failure(attempt_->endpoint(), true, worker_.loop.now(), worker_.random);
    }
    settle_admission(Outcome::failure);
    cluster_->series().timeouts[metrics::UpstreamTimeout::request].add();
    const bool begun = response_begun_;
    drop_attempt();
    if (begun) {
      info_.flags |= flag::kUpstreamRequestTimeout;
      info_.response_code_details = "response_timeout";
      cut_response();
      return;
    }
    fail_request({.kind = FailureKind::request_timeout}, RetryVerdict::no);
  }
}

void Exchange::on_per_try_timeout() {
  touch();
  if (!attempt_ || response_begun_) {
    return;
  }
  cluster_->series().timeouts[metrics::UpstreamTimeout::per_try].add();
  attempt_->endpoint().cells().requests_timeout.add();
  const Failure failure{.kind = FailureKind::per_try_timeout, .head_written = attempt_->head_written()};
  on_attempt_failed(failure);
}

void Exchange::on_idle_timeout() {
  const MonotonicTime due = last_activity_ + idle_timeout_;
  if (due > worker_.loop.now()) {
    worker_.loop.timers().arm(idle_timer_, due);
    return;
  }
  touch();
  drop_attempt();
  info_.flags |= flag::kStreamIdleTimeout;
  if (response_begun_) {
    info_.response_code_details = "stream_idle_timeout";
    cut_response();
    return;
  }
  local_reply({.status = request_complete_ || !has_body_ ? 504 : 408,
               .flags = flag::kStreamIdleTimeout,
               .details = "stream_idle_timeout",
               .reason = "stream_idle_timeout",
               .body = "stream timeout",
               .cause = "Nothing moved on this request for the idle timeout.",
               .way_out = "Raise stream_idle_timeout or the route's idle_timeout if such pauses are normal."});
}

void Exchange::on_request_body_timeout() {
  touch();
  drop_attempt();
  if (response_begun_) {
    cut_response();
    return;
  }
  local_reply({.status = 408,
               .details = "request_overall_timeout",
               .reason = "request_body_timeout",
               .body = "request timeout",
               .cause = "The request did not arrive whole within request_timeout.",
               .way_out = "A slow client or network; raise request_timeout if that is normal.",
               .close = true});
}

void Exchange::on_downstream_drained() {
  if (upstream_paused_ && attempt_) {
    upstream_paused_ = false;
    attempt_->resume_response();
  }
}

void Exchange::on_downstream_gone() {
  touch();
  if (state_ == State::ended) {
    return;
  }
  if (attempt_ || !response_begun_) {
    info_.flags |= flag::kDownstreamConnectionTermination;
    if (info_.response_code_details.empty() || info_.response_code_details == "via_upstream") {
      info_.response_code_details = "downstream_remote_disconnect";
    }
  }
  drop_attempt();
  on_stream_done();
}

void Exchange::on_stream_done() {
  touch();
  if (state_ == State::ended) {
    return;
  }
  drop_attempt();
  request_timer_.cancel();
  idle_timer_.cancel();
  body_timer_.cancel();
  release_limits();
  if (stream_ != nullptr) {
    listener_.series->requests_active.add(-1);
  }
  stream_ = nullptr;
  info_.end = worker_.loop.now();
  enter(State::ended);
}

void Exchange::release_limits() {
  if (holds_request_limit_) {
    holds_request_limit_ = false;
    cluster_->limits().release(upstream::ClusterLimits::Kind::requests);
    cluster_->series().requests_active.add(-1);
  }
  release_retry_limit();
  settle_admission(Outcome::none);
}

void Exchange::release_retry_limit() {
  if (holds_retry_limit_) {
    holds_retry_limit_ = false;
    cluster_->limits().release(upstream::ClusterLimits::Kind::retries);
  }
}

void Exchange::record() {
  if (info_.response_code == 0 && info_.flags == 0 && info_.request == nullptr) {
    return;  // a connection that ended before a request began
  }
  metrics::RequestSeries* series = listener_.unrouted;
  if (info_.route != nullptr) {
    ListenerContext::RouteSeries& slot = listener_.route_series[info_.route->index];
    const std::uint64_t cluster = cluster_ == nullptr ? 0 : cluster_->id();
    if (slot.series == nullptr || slot.cluster != cluster) [[unlikely]] {
      slot.cluster = cluster;
      slot.series = worker_.metrics.requests(listener_.config->service, info_.route->label,
                                             info_.cluster == nullptr ? "" : info_.cluster->alt_stat_name);
    }
    series = slot.series;
  }
  Nanoseconds upstream(-1);
  if (info_.response_begin.time_since_epoch().count() != 0) {
    const MonotonicTime until =
        info_.response_end.time_since_epoch().count() != 0 ? info_.response_end : info_.response_begin;
    upstream = until - info_.upstream_begin;
  }
  series->record(info_.response_code, info_.flags, info_.end - info_.start, upstream, info_.own, info_.bytes_received,
                 info_.bytes_sent);
  if (worker_.access_log != nullptr) {
    for (const model::AccessLog& log : listener_.config->http().access_logs) {
      worker_.access_log->log(log, info_, worker_.random);
    }
  }
}

}  // namespace remora::proxy
