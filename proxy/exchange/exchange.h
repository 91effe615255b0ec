// Exchange: one request and its response: the only place where both sides meet. Owns the deadlines, the attempts, the
// replay buffer and an arena; lives in a block of the worker's pool together with the first of its arena. Owned by its
// Session until its stream is done, then by the worker until the turn is over; worker thread.
// See docs/life_of_a_request.md.
#pragma once

#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "core/base/arena.h"
#include "core/base/bytes.h"
#include "core/event/timer_queue.h"
#include "core/http/codec.h"
#include "proxy/exchange/attempt.h"
#include "proxy/exchange/local_reply.h"
#include "proxy/exchange/retry.h"
#include "proxy/exchange/worker_context.h"
#include "proxy/info/request_info.h"
#include "proxy/routing/hash_policy.h"

namespace remora::proxy {

// What an exchange asks of the connection that it came by. Implemented by Session.
class ExchangeOwner {
 public:
  virtual bool downstream_full() const = 0;
  virtual void pause_request() = 0;  // the upstream is full: read no more of the body
  virtual void resume_request() = 0;

 protected:
  ~ExchangeOwner() = default;
};

class Exchange final : public http::RequestSink, public AttemptEvents {
 public:
  static Exchange* create(WorkerContext& worker, ListenerContext& listener, ExchangeOwner& owner,
                          const ConnectionFacts& connection);
  // Called by the worker at the end of the turn in which it ended.
  static void destroy(Exchange* exchange);

  Arena& arena() { return arena_; }
  RequestInfo& info() { return info_; }

  // The request's head is here: routes it, and sends it on its way or answers it.
  void begin(http::ServerStream& stream, http::RequestHead& head, bool end);
  // Answers a head that could not be parsed or did not come in time.
  void reject(http::ServerStream& stream, int status, ResponseFlags flags, std::string_view details,
              std::string_view reason, std::string_view cause);
  // The codec is through with both sides.
  void on_stream_done();
  // The client's connection is gone.
  void on_downstream_gone();
  void on_downstream_drained();

  // What the turn cost is added to `own`; an ended exchange is recorded.
  void settle(MonotonicTime turn_end);

  Exchange* next_touched = nullptr;
  bool touched = false;

 private:
  enum class Outcome : std::uint8_t { success, failure, none };  // none: says nothing about the cluster
  enum class State : std::uint8_t { created, routed, dispatched, backing_off, responding, ended };

  Exchange(WorkerContext& worker, ListenerContext& listener, ExchangeOwner& owner, const ConnectionFacts& connection);
  ~Exchange();

  // RequestSink
  void on_body(std::string_view data) override;
  void on_trailers(http::HeaderList& trailers) override;
  void on_request_end() override;
  void on_request_error(const http::ProtocolError& error) override;

  // AttemptEvents
  void on_attempt_ready() override;
  void on_attempt_head(http::ResponseHead& head, bool end) override;
  void on_attempt_informational(http::ResponseHead& head) override;
  void on_attempt_body(std::string_view data) override;
  void on_attempt_trailers(http::HeaderList& trailers) override;
  void on_attempt_end() override;
  void on_attempt_failed(const Failure& failure) override;
  void on_attempt_drained() override;

  void touch();
  void enter(State state) { state_ = state; }
  bool admit_head();                                                // hygiene that answers by itself; false: answered
  bool normalize_head(const model::HttpConnectionManager& config);  // false: answered
  bool admit_tunnel(const model::Route* route);                     // false: answered
  bool route_request();                                             // false: answered
  void hash_request(const model::RouteAction& action);
  void prepare_upstream_head(const model::RouteAction& action);
  void answer_directly(const model::DirectResponse& response);
  void answer_redirect(const model::RedirectAction& redirect);
  void start_timeouts();
  void start_attempt();
  void send_buffered_request();
  void end_upstream_request();
  void settle_admission(Outcome outcome);
  bool replayable() const;
  bool try_again(RetryDecision decision);
  void fail_request(const Failure& failure, RetryVerdict verdict);
  void forward_head(http::ResponseHead& head, bool end);
  void finish_response_head(http::ResponseHead& head, bool upstream);
  void local_reply(LocalReply reply);
  void send_own(http::ResponseHead& head, std::string_view body);
  void cut_response();  // what was sent goes out; the client sees that the rest is missing
  void release_limits();
  void release_retry_limit();
  void drop_attempt();
  void note_activity();

  void on_request_timeout();
  void on_per_try_timeout();
  void on_idle_timeout();
  void on_request_body_timeout();
  void on_backoff_over();
  void record();

  Arena arena_;
  WorkerContext& worker_;
  ListenerContext& listener_;
  ExchangeOwner& owner_;
  // The configuration that this exchange was born with; the cluster's, and the endpoint, are the last attempt's.
  const Pin<ListenerContext> pinned_listener_;
  const routing::RouteTable* routes_;
  Pin<upstream::ClusterConfig> cluster_config_;
  Pin<upstream::EndpointState> endpoint_;
  RequestInfo info_;
  http::ServerStream* stream_ = nullptr;
  http::RequestHead* request_ = nullptr;
  http::HeaderList* request_trailers_ = nullptr;
  const model::WeightedCluster* weighted_ = nullptr;
  upstream::ClusterState* cluster_ = nullptr;
  std::optional<Attempt> attempt_;
  std::optional<RetryState> retry_;
  routing::RequestHash hash_;
  upstream::Breaker::Admission admission_;

  State state_ = State::created;
  bool request_complete_ = false;
  bool response_begun_ = false;
  bool has_body_ = false;
  bool keep_body_ = true;   // for replay
  bool body_lost_ = false;  // part of it was handed on and not kept
  bool body_paused_ = false;
  bool upstream_paused_ = false;
  bool holds_request_limit_ = false;
  bool holds_retry_limit_ = false;
  bool breaker_pending_ = false;
  std::uint8_t race_replays_ = 0;  // each used up a stale connection
  bool tunnel_ = false;
  std::uint64_t buffer_limit_ = 0;
  OutputQueue body_;  // of the request: not sent yet, or kept for replay

  Milliseconds timeout_{0};
  Timer request_timer_;
  Timer per_try_timer_;
  Timer idle_timer_;
  Timer body_timer_;
  Timer backoff_timer_;
  Milliseconds idle_timeout_{0};
  MonotonicTime last_activity_{};
};

}  // namespace remora::proxy
