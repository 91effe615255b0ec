#include "proxy/listener/session.h"

#include <fmt/format.h>

#include <cstring>

#include "proxy/listener/listener.h"

namespace remora::proxy {
namespace {

http::CodecLimits limits_of(const model::HttpConnectionManager& config) {
  http::CodecLimits limits;
  limits.max_head_bytes = config.max_request_headers_kb * 1024;
  limits.max_headers = config.max_headers_count;
  limits.max_body_bytes = config.max_request_body_bytes;
  limits.accept_http_10 = config.accept_http_10;
  return limits;
}

}  // namespace

template <typename... Words>
void Session::say(std::string_view format, const Words&... words) {
  debug(listener_.worker().connection_log, [&] {
    return fmt::format("[C{}] listener '{}', {}: {}", facts_.id, listener_.context().config->name, remote_text_,
                       fmt::format(fmt::runtime(format), words...));
  });
}

Session::Session(Listener& listener, std::unique_ptr<net::Transport> transport, std::uint64_t id)
    : listener_(listener),
      connection_(listener.connection_context(), std::move(transport), *this, /*connecting=*/false),
      codec_(connection_, *this, limits_of(listener.http_context().config->http())) {
  facts_.id = id;
  facts_.remote = connection_.transport().peer_address();
  facts_.local = connection_.transport().local_address();
  remote_text_ = facts_.remote.to_string();
  remote_ip_ = facts_.remote.ip();
  local_text_ = facts_.local.to_string();
  facts_.remote_text = remote_text_;
  facts_.remote_ip = remote_ip_;
  facts_.local_text = local_text_;
  input_task_.bind<&Session::feed_tunnel>(this);
  timer_.bind<&Session::on_timer>(this);
  max_duration_.bind<&Session::on_max_duration>(this);
  const auto& http = listener_.http_context().config->http();
  if (http.max_connection_duration.count() > 0) {
    listener_.loop().arm(max_duration_, http.max_connection_duration);
  }
  arm_idle();
  say("accepted");
}

void Session::arm_idle() {
  const auto& http = listener_.http_context().config->http();
  const Milliseconds wait = codec_.in_head() ? http.request_headers_timeout : http.idle_timeout;
  if (wait.count() > 0) {
    listener_.loop().arm(timer_, wait);
  } else {
    timer_.cancel();
  }
}

std::size_t Session::on_bytes(std::string_view bytes) {
  const std::size_t taken = codec_.feed(bytes);
  if (taken < bytes.size() && connection_.open()) {
    connection_.pause(net::Pause::busy);
  }
  return taken;
}

void Session::on_end() {
  if (codec_.feed_end()) {
    end("closed by the client");
  }
}

void Session::on_drained() {
  if (exchange_ != nullptr) {
    exchange_->on_downstream_drained();
  }
}

void Session::on_closed(net::CloseReason reason) {
  end(reason.error != 0 ? std::strerror(reason.error) : closing_ ? "closed" : "closed by the client");
}

Arena& Session::on_message_begin() {
  exchange_ = Exchange::create(listener_.worker(), listener_.http_context(), *this, facts_);
  begun_ = false;
  const auto wait = listener_.http_context().config->http().request_headers_timeout;
  if (wait.count() > 0) {
    listener_.loop().arm(timer_, wait);
  }
  return exchange_->arena();
}

http::RequestSink* Session::on_request(http::ServerStream& stream, http::RequestHead& head, bool end) {
  timer_.cancel();
  begun_ = true;
  ++requests_;
  const auto limit = listener_.http_context().config->http().max_requests_per_connection;
  if (draining_ || (limit > 0 && requests_ >= limit)) {
    stream.close_after();
  }
  Exchange* exchange = exchange_;
  exchange->begin(stream, head, end);
  return exchange;
}

void Session::on_bad_head(http::ServerStream& stream, const http::ProtocolError& error) {
  timer_.cancel();
  begun_ = true;
  series
      ->protocol_errors[error.status == 431 ? metrics::ProtocolError::head_too_large : metrics::ProtocolError::bad_head]
      .add();
  exchange_->reject(stream, error.status, flag::kDownstreamProtocolError, error.details, "bad_request_head",
                    error.cause);
}

void Session::on_stream_done(http::ServerStream&) {
  if (exchange_ == nullptr) {
    return;
  }
  Exchange* exchange = exchange_;
  exchange_ = nullptr;
  exchange->on_stream_done();
  if (!connection_.open()) {
    return;
  }
  connection_.resume(net::Pause::peer_full);
  connection_.resume(net::Pause::busy);
  arm_idle();
}

void Session::on_input_wanted() { listener_.loop().next_turn(input_task_); }

void Session::feed_tunnel() {
  if (!connection_.open()) {
    return;
  }
  codec_.feed({});
  connection_.resume(net::Pause::busy);
}

void Session::on_codec_close() {
  closing_ = true;
  timer_.cancel();
  connection_.close_gently(listener_.http_context().config->http().delayed_close_timeout);
}

void Session::on_timer() {
  if (exchange_ == nullptr) {
    end("idle timeout");
    return;
  }
  if (begun_) {
    return;
  }
  // The head began but does not end.
  series->protocol_errors[metrics::ProtocolError::head_timeout].add();
  codec_.reject_head({.status = 408, .details = "request_header_timeout", .cause = "The head did not arrive in time."});
}

void Session::on_max_duration() { drain(); }

void Session::drain() {
  draining_ = true;
  codec_.drain();
  if (codec_.idle() && connection_.open()) {
    connection_.close_gently(listener_.http_context().config->http().delayed_close_timeout);
  }
}

void Session::abort() { end("closed with what was in flight"); }

void Session::end(std::string_view why) {
  if (ended_) {
    return;
  }
  ended_ = true;
  say("{}, after {} requests", why, requests_);
  timer_.cancel();
  max_duration_.cancel();
  connection_.close_now();
  if (exchange_ != nullptr) {
    Exchange* exchange = exchange_;
    exchange_ = nullptr;
    exchange->on_downstream_gone();
  }
  series->bytes_received.add(connection_.bytes_read());
  series->bytes_sent.add(connection_.bytes_written());
  listener_.remove(*this);
}

}  // namespace remora::proxy
