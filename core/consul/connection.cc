#include "core/consul/connection.h"

#include <fmt/core.h>

#include <cstring>
#include <utility>

namespace remora::consul {

Connection::Connection(Client& client, const Agent& agent, std::uint64_t serial,
                       std::unique_ptr<net::Transport> transport)
    : client_(client),
      agent_(agent),
      serial_(serial),
      connection_(client.context_, std::move(transport), *this, /*connecting=*/true),
      codec_(connection_, *this, http::CodecLimits{}) {
  timer_.bind<&Connection::on_timer>(this);
  client_.loop().arm(timer_, client_.options_.connect_timeout);
}

void Connection::lend(Call& call) {
  call_ = &call;
  ++requests_;
  if (connected_) {
    timer_.cancel();
  }
}

void Connection::abandon() {
  call_ = nullptr;
  close();
}

void Connection::on_connected() {
  connected_ = true;
  timer_.cancel();
  if (call_ != nullptr) {
    call_->send();
  }
}

std::size_t Connection::on_bytes(std::string_view bytes) {
  if (call_ == nullptr) {
    close();  // nobody asked for it
  } else {
    codec_.feed(bytes);
  }
  return bytes.size();
}

void Connection::on_end() {
  if (call_ != nullptr) {
    codec_.feed_end(/*clean=*/true);
  }
  close();
}

void Connection::on_closed(net::CloseReason reason) {
  if (!connected_) {
    Call* call = std::exchange(call_, nullptr);
    close();
    if (call != nullptr) {
      const std::string_view words = connection_.transport().failure_words();
      call->on_connect_failed(words.empty() ? std::strerror(reason.error) : std::string(words));
    }
    return;
  }
  if (call_ != nullptr) {
    codec_.feed_end(/*clean=*/false);
  }
  close();
}

void Connection::on_client_stream_done(bool reusable) {
  call_ = nullptr;
  if (closed_) {
    return;
  }
  if (!reusable || !connection_.open() || connection_.end_seen()) {
    close();
    return;
  }
  idle_since_ = client_.loop().now();
  client_.loop().arm(timer_, client_.options_.idle_timeout);
  client_.keep(*this);
}

void Connection::on_timer() {
  Call* call = std::exchange(call_, nullptr);
  const bool connecting = !connected_;
  close();
  if (connecting && call != nullptr) {
    call->on_connect_failed(fmt::format("no connection within {} ms", client_.options_.connect_timeout.count()));
  }
}

void Connection::close() {
  if (!std::exchange(closed_, true)) {
    timer_.cancel();
    connection_.close_now();
    client_.remove(*this);
  }
}

}  // namespace remora::consul
