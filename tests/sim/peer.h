// Peer: the other end of a connection of the proxy's, played by a test: sends bytes, keeps what comes. Owned by a test
// or a FakeUpstream; one thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/net/transport.h"

namespace remora::sim {

class Peer final : net::TransportEvents {
 public:
  explicit Peer(std::unique_ptr<net::Transport> transport) : transport_(std::move(transport)) {
    transport_->start(*this);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  std::string received;  // what came and nobody took yet
  std::size_t total_received = 0;
  bool ended = false;               // FIN came
  bool was_reset = false;           // RST came
  std::function<void()> on_change;  // bytes or an end came

  bool over() const { return ended || was_reset || closed_; }
  std::size_t unsent() const { return out_.size(); }
  Address address() const { return transport_->local_address(); }

  void send(std::string_view bytes) {
    out_ += bytes;
    pump();
  }
  void half_close() {
    half_close_ = true;
    pump();
  }
  void close(bool reset = false) {
    closed_ = true;
    transport_->close(reset);
  }
  void stop_reading() { reading_ = false; }
  void resume_reading() {
    reading_ = true;
    take();
  }

 private:
  void on_transport_ready(unsigned ready) override {
    if ((ready & net::kWritable) != 0) {
      connected_ = true;
      pump();
    }
    if ((ready & net::kReadable) != 0) {
      take();
    }
  }

  void pump() {
    while (connected_ && !closed_ && !out_.empty()) {
      const iovec part{out_.data(), out_.size()};
      const net::IoResult put = transport_->write({&part, 1});
      if (put.kind == net::IoResult::Kind::error) {
        out_.clear();
        return;
      }
      if (put.kind != net::IoResult::Kind::ok) {
        return;
      }
      out_.erase(0, put.bytes);
    }
    if (connected_ && !closed_ && half_close_ && out_.empty()) {
      transport_->shutdown_write();
    }
  }

  void take() {
    bool changed = false;
    std::array<char, 16 * 1024> buffer;
    while (reading_ && !over()) {
      const net::IoResult got = transport_->read(buffer);
      if (got.kind == net::IoResult::Kind::would_block) {
        break;
      }
      changed = true;
      if (got.kind == net::IoResult::Kind::ok) {
        received.append(buffer.data(), got.bytes);
        total_received += got.bytes;
      } else if (got.kind == net::IoResult::Kind::end) {
        ended = true;
      } else {
        was_reset = true;
      }
    }
    if (changed && on_change) {
      on_change();
    }
  }

  std::unique_ptr<net::Transport> transport_;
  std::string out_;
  bool connected_ = false;
  bool reading_ = true;
  bool half_close_ = false;
  bool closed_ = false;
};

}  // namespace remora::sim
