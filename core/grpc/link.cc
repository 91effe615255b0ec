#include "core/grpc/link.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "core/grpc/wire.h"

namespace remora::grpc {

using http::Http2Error;
using http::Http2StreamId;

namespace {

constexpr Nanoseconds kLinger = Seconds(1);

}  // namespace

Link::Link(const net::ConnectionContext& context, std::unique_ptr<net::Transport> transport, const Address& peer,
           bool connecting, const LinkOptions& options)
    : options_(options),
      ping_interval_(options.ping_interval),
      loop_(context.loop),
      peer_(peer),
      peer_name_(peer.to_string()),
      session_(options.http2, *this) {
  flush_task_.bind<&Link::flush>(this);
  loss_task_.bind<&Link::finish_loss>(this);
  handshake_timer_.bind<&Link::on_handshake_over>(this);
  ping_timer_.bind<&Link::on_ping_timer>(this);
  if (transport != nullptr) {
    connection_.emplace(context, std::move(transport), static_cast<net::ConnectionEvents&>(*this), connecting);
    if (options.handshake_timeout.count() > 0) {
      loop_.arm(handshake_timer_, options.handshake_timeout);
    }
  }
  if (options.http2.server && ping_interval_.count() > 0) {
    loop_.arm(ping_timer_, ping_interval_);
  }
  schedule_flush();
}

Link::~Link() = default;

void Link::schedule_flush() {
  if (!over_ && !flush_task_.queued()) {
    loop_.at_turn_end(flush_task_);
  }
}

CallHalf& Link::add(std::unique_ptr<CallHalf> half) {
  const Http2StreamId id = half->id();
  CallHalf& call = *half;
  calls_.insert_or_assign(id, std::move(half));
  if (calls_.size() == 1 && ping_interval_.count() > 0 && !ping_timer_.armed()) {
    heard_ = false;
    loop_.arm(ping_timer_, ping_interval_);
  }
  return call;
}

CallHalf* Link::find(Http2StreamId stream) {
  const auto found = calls_.find(stream);
  return found == calls_.end() ? nullptr : found->second.get();
}

// ---- the connection

void Link::on_connected() { schedule_flush(); }

std::size_t Link::on_bytes(std::string_view bytes) {
  heard_ = true;
  after_session(session_.receive(bytes));
  schedule_flush();  // acknowledgements and windows, and what these let go
  return bytes.size();
}

void Link::on_end() {
  if (!over_) {
    lose(farewell_.empty() ? Status{Code::unavailable, fmt::format("{} closed the connection", peer_name_)}
                           : end_of_session());
  }
}

void Link::on_drained() { schedule_flush(); }

void Link::on_closed(net::CloseReason reason) {
  if (over_) {
    on_gone();  // it was lingering
  } else {
    lose({Code::unavailable, describe(reason)});
  }
}

std::string Link::describe(const net::CloseReason& reason) const {
  using Kind = net::CloseReason::Kind;
  if (reason.kind == Kind::error && reason.error != 0) {
    return fmt::format("the connection with {} failed: {}", peer_name_, std::strerror(reason.error));
  }
  return fmt::format("the connection with {} closed", peer_name_);
}

void Link::flush() {
  if (over_ || !connection_ || connection_->closed()) {
    return;
  }
  if (connection_->above_high_mark()) {
    return;  // on_drained comes
  }
  const auto passed = [this] { return connection_->queued() + connection_->bytes_written(); };
  const std::uint64_t before = passed();
  const bool healthy = session_.flush(*connection_, net::Connection::kHighMark);
  if (healthy && passed() - before >= net::Connection::kHighMark && !connection_->above_high_mark()) {
    loop_.next_turn(flush_task_);  // the socket takes more: after the others had their turn
  }
  after_session(healthy);
}

// What the session's callbacks have left to do, now that none is on the stack.
void Link::after_session(bool healthy) {
  closed_.clear();
  if (over_) {
    return;
  }
  if (!healthy) {
    part(Http2Error::protocol_error, session_.failure(),
         {Code::unavailable, fmt::format("the connection with {} broke HTTP/2: {}", peer_name_, session_.failure())});
    return;
  }
  if (session_.over()) {
    lose(end_of_session());
    return;
  }
}

Status Link::end_of_session() const {
  if (!farewell_.empty()) {
    return {Code::unavailable, fmt::format("{} went away: {}", peer_name_, farewell_)};
  }
  if (!session_.detail().empty()) {
    return {Code::unavailable, fmt::format("{} broke HTTP/2: {}", peer_name_, session_.detail())};
  }
  return {Code::unavailable, fmt::format("the connection with {} is over", peer_name_)};
}

// ---- its end

void Link::stop_timers() {
  handshake_timer_.cancel();
  ping_timer_.cancel();
  flush_task_.cancel();
  loss_task_.cancel();
}

void Link::lose(const Status& status) {
  if (std::exchange(over_, true)) {
    return;
  }
  going_away_ = true;
  stop_timers();
  if (connection_ && connection_->open()) {
    connection_->close_gently(kLinger);
  } else if (connection_) {
    connection_->close_now();
  }
  while (!calls_.empty()) {  // each may open, end or abandon others
    closed_.push_back(std::move(calls_.extract(calls_.begin()).mapped()));
    closed_.back()->on_link_lost(status);
  }
  if (!connection_ || connection_->closed()) {
    on_gone();
  }
}

void Link::lose_later(Status status) {
  loss_ = std::move(status);
  loop_.next_turn(loss_task_);
}

void Link::finish_loss() {
  if (loss_) {
    lose(*std::exchange(loss_, std::nullopt));
  }
}

void Link::part(Http2Error error, std::string_view words, const Status& status) {
  if (!over_ && connection_ && !connection_->closed()) {
    session_.goaway(error, words);
    session_.flush(*connection_, net::Connection::kHighMark);
  }
  lose(status);
}

void Link::abandon() {
  for (auto& [id, call] : calls_) {
    call->silence();
  }
  over_ = going_away_ = true;
  stop_timers();
  if (connection_) {
    connection_->close_now();
  }
}

// ---- keeping it alive

void Link::on_settings() {
  handshaken_ = true;
  handshake_timer_.cancel();
}

void Link::on_handshake_over() {
  lose({Code::unavailable, fmt::format("{} did not complete HTTP/2's handshake in {} ms", peer_name_,
                                       options_.handshake_timeout / Milliseconds(1))});
}

void Link::on_ping_timer() {
  if (heard_ || !pings_now()) {
    ping_pending_ = false;
    heard_ = false;
    if (pings_now() || options_.http2.server) {
      loop_.arm(ping_timer_, ping_interval_);
    }
    return;
  }
  if (ping_pending_) {
    lose({Code::unavailable,
          fmt::format("{} did not answer a PING in {} ms", peer_name_, options_.ping_timeout / Milliseconds(1))});
    return;
  }
  ping_pending_ = true;
  session_.ping();
  schedule_flush();
  loop_.arm(ping_timer_, options_.ping_timeout);
}

void Link::on_ping_answer() {
  if (std::exchange(goaway_after_ping_, false)) {
    session_.goaway(Http2Error::no_error);
    schedule_flush();
  }
}

void Link::begin_shutdown() {
  if (over_ || std::exchange(going_away_, true)) {
    return;
  }
  session_.announce_shutdown();
  session_.ping();
  goaway_after_ping_ = true;
  schedule_flush();
}

// ---- its calls

void Link::on_headers(Http2StreamId stream, http::Http2Headers headers, bool end) {
  if (over_) {
    return;
  }
  if (find(stream) == nullptr) {
    on_new_stream(stream);
  }
  if (CallHalf* call = find(stream)) {
    call->on_headers(headers, end);
  }
}

void Link::on_data(Http2StreamId stream, std::string_view data) {
  if (CallHalf* call = find(stream)) {
    call->on_data(data);
  } else {
    session_.consume(stream, data.size());
  }
}

void Link::on_end(Http2StreamId stream) {
  if (CallHalf* call = find(stream)) {
    call->on_end();
  }
}

void Link::on_end_sent(Http2StreamId stream) {
  if (CallHalf* call = find(stream)) {
    call->on_end_sent();
  }
}

void Link::on_stream_closed(Http2StreamId stream, std::uint32_t error) {
  const auto found = calls_.find(stream);
  if (found == calls_.end()) {
    return;
  }
  closed_.push_back(std::move(found->second));
  calls_.erase(found);
  closed_.back()->on_http2_closed(error);
}

http::Http2Pull Link::pull(Http2StreamId stream, std::span<char> into) {
  CallHalf* call = find(stream);
  return call == nullptr ? http::Http2Pull{0, http::Http2Pull::Then::end} : call->pull(into);
}

void Link::on_goaway(Http2StreamId, std::uint32_t error, std::string_view debug) {
  going_away_ = true;
  farewell_ = http::http2_error_name(error);
  if (!debug.empty()) {
    farewell_ += fmt::format(" ({})", debug.substr(0, 200));
  }
  on_goaway_seen(error, debug);
}

}  // namespace remora::grpc
