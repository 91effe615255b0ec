// Attempt: one try of an Exchange at one endpoint: waits for a connection, sends the request, hands the answer on.
// Owned by Exchange; worker thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/http/codec.h"
#include "proxy/exchange/failure.h"
#include "proxy/upstream/connection_pool.h"
#include "proxy/upstream/endpoint_state.h"

namespace remora::proxy {

// Implemented by Exchange. After on_attempt_end and on_attempt_failed the attempt is over.
class AttemptEvents {
 public:
  virtual void on_attempt_ready() = 0;  // the head was sent; the body may follow
  virtual void on_attempt_informational(http::ResponseHead& head) = 0;
  virtual void on_attempt_head(http::ResponseHead& head, bool end) = 0;
  virtual void on_attempt_body(std::string_view data) = 0;
  virtual void on_attempt_trailers(http::HeaderList& trailers) = 0;
  virtual void on_attempt_end() = 0;
  virtual void on_attempt_failed(const Failure& failure) = 0;
  virtual void on_attempt_drained() = 0;

 protected:
  ~AttemptEvents() = default;
};

class Attempt final : upstream::PoolWaiter, http::ResponseSink, upstream::LeaseEvents {
 public:
  Attempt(Arena& arena, AttemptEvents& events, upstream::EndpointState& endpoint, const http::RequestHead& head,
          http::BodyLength length);
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() override;  // gives up what is not over

  // Takes a connection or waits for one. The error: nobody may wait. May call on_attempt_ready inside.
  std::expected<void, Failure> start();

  bool streaming() const { return stream_ != nullptr; }  // the head was sent, the answer is not over
  void send_body(std::string_view data, bool end);
  void send_trailers(const http::HeaderList& trailers);
  bool upstream_full() const;
  void pause_response();
  void resume_response();

  upstream::EndpointState& endpoint() { return endpoint_; }
  // Did the kernel take anything of the request? What it did not take, nobody can have acted on. (Over a connection
  // that streams share, bytes of others count too: then the answer errs towards yes.)
  bool head_written() const {
    return connection_ == nullptr ? head_written_ : connection_->connection().bytes_written() > written_before_;
  }
  bool response_begun() const { return response_begun_; }
  std::string_view local_text() { return connection_ == nullptr ? std::string_view{} : connection_->local_text(); }

 private:
  void on_connection(upstream::UpstreamConnection& connection) override;
  void on_no_connection(upstream::ConnectFailure failure) override;
  Arena& response_arena() override { return arena_; }
  void on_informational(http::ResponseHead& head) override { events_.on_attempt_informational(head); }
  void on_head(http::ResponseHead& head, bool end) override;
  void on_response_body(std::string_view data) override { events_.on_attempt_body(data); }
  void on_response_trailers(http::HeaderList& trailers) override { events_.on_attempt_trailers(trailers); }
  void on_response_end() override;
  void on_reset(http::ResetReason reason, std::string_view cause) override;
  void on_upstream_drained() override { events_.on_attempt_drained(); }
  void over();

  Arena& arena_;
  AttemptEvents& events_;
  upstream::EndpointState& endpoint_;
  const http::RequestHead& head_;
  const http::BodyLength length_;
  upstream::UpstreamConnection* connection_ = nullptr;
  http::ClientStream* stream_ = nullptr;
  bool head_written_ = false;  // once there is no connection any more
  std::uint64_t written_before_ = 0;
  bool response_begun_ = false;
  bool reused_ = false;
  bool counted_ = false;
};

}  // namespace remora::proxy
