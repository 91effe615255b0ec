#include "proxy/exchange/attempt.h"

#include <cerrno>

namespace remora::proxy {

Attempt::Attempt(Arena& arena, AttemptEvents& events, upstream::EndpointState& endpoint, const http::RequestHead& head,
                 http::BodyLength length)
    : arena_(arena), events_(events), endpoint_(endpoint), head_(head), length_(length) {
  ++endpoint_.active_requests;
  endpoint_.cells().requests_total.add();
  endpoint_.cells().requests_active.add(1);
  counted_ = true;
}

Attempt::~Attempt() {
  cancel_wait();
  if (stream_ != nullptr) {
    http::ClientStream* stream = stream_;
    upstream::UpstreamConnection* connection = connection_;
    over();
    stream->cancel();
    connection->abandon();
  }
  over();
}

void Attempt::over() {
  head_written_ = head_written();
  stream_ = nullptr;
  connection_ = nullptr;
  if (counted_) {
    counted_ = false;
    --endpoint_.active_requests;
    endpoint_.cells().requests_active.add(-1);
  }
}

std::expected<void, Failure> Attempt::start() {
  if (upstream::UpstreamConnection* connection = endpoint_.pool().take_ready()) {
    on_connection(*connection);
    return {};
  }
  if (auto waiting = endpoint_.pool().wait(*this); !waiting) {
    return std::unexpected(Failure{.kind = FailureKind::overflow_pending});
  }
  return {};
}

void Attempt::on_connection(upstream::UpstreamConnection& connection) {
  connection_ = &connection;
  stream_ = &connection.begin(*this, *this);
  reused_ = connection.used_before();
  written_before_ = connection.connection().bytes_written() + connection.connection().queued();
  stream_->send_head(head_, length_);
  events_.on_attempt_ready();
}

void Attempt::on_no_connection(upstream::ConnectFailure failure) {
  Failure story;
  switch (failure.kind) {
    case upstream::ConnectFailure::Kind::timeout:
      story.kind = FailureKind::connect_timeout;
      break;
    case upstream::ConnectFailure::Kind::overflow:
      story.kind = FailureKind::overflow_connections;
      break;
    case upstream::ConnectFailure::Kind::failed:
      story.kind = FailureKind::connect_failed;
      story.error = failure.error;
      break;
  }
  over();
  events_.on_attempt_failed(story);
}

void Attempt::send_body(std::string_view data, bool end) {
  if (stream_ != nullptr) {
    stream_->send_body(data, end);
  }
}

void Attempt::send_trailers(const http::HeaderList& trailers) {
  if (stream_ != nullptr) {
    stream_->send_trailers(trailers);
  }
}

bool Attempt::upstream_full() const { return connection_ != nullptr && connection_->connection().above_high_mark(); }

void Attempt::pause_response() {
  if (connection_ != nullptr) {
    connection_->connection().pause(net::Pause::peer_full);
  }
}

void Attempt::resume_response() {
  if (connection_ != nullptr) {
    connection_->connection().resume(net::Pause::peer_full);
  }
}

void Attempt::on_head(http::ResponseHead& head, bool end) {
  response_begun_ = true;
  events_.on_attempt_head(head, end);
}

void Attempt::on_response_end() {
  over();
  events_.on_attempt_end();
}

void Attempt::on_reset(http::ResetReason reason, std::string_view cause) {
  Failure story{
      .head_written = head_written(), .reused_connection = reused_, .response_begun = response_begun_, .cause = cause};
  if (reason == http::ResetReason::protocol_error) {
    story.kind = FailureKind::protocol_error;
  } else if (response_begun_) {
    story.kind = FailureKind::closed_mid_response;
  } else if (reason == http::ResetReason::connection_closed) {
    story.kind = FailureKind::closed_before_response;
  } else {
    story.kind = FailureKind::reset_before_response;
  }
  over();
  events_.on_attempt_failed(story);
}

}  // namespace remora::proxy
