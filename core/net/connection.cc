#include "core/net/connection.h"

#include <array>
#include <cerrno>
#include <utility>

namespace remora::net {
namespace {

// Bodies at least this large are written at once, without a copy; smaller pieces wait for the turn's end and leave
// together.
constexpr std::size_t kDirectWrite = 4096;
// Reads of one connection in one turn, so that a fast sender cannot starve the others.
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kIovecs = 64;

}  // namespace

Connection::Connection(const ConnectionContext& context, std::unique_ptr<Transport> transport, ConnectionEvents& events,
                       bool connecting)
    : loop_(context.loop),
      scratch_(context.scratch),
      transport_(std::move(transport)),
      events_(events),
      state_(connecting ? State::connecting : State::open),
      writable_(!connecting),
      out_(context.blocks) {
  flush_task_.bind<&Connection::flush>(this);
  read_task_.bind<&Connection::read_some>(this);
  failure_task_.bind<&Connection::finish_failure>(this);
  linger_timer_.bind<&Connection::on_linger_over>(this);
  transport_->start(*this);
}

Connection::~Connection() = default;

void Connection::on_transport_ready(unsigned ready) {
  if (state_ == State::closed) {
    return;
  }
  if ((ready & kPeerClosed) != 0) {
    peer_closed_ = true;
  }
  if (state_ == State::connecting) {
    if ((ready & kReadable) != 0) {
      readable_ = true;
    }
    finish_connecting();
    return;
  }
  if ((ready & kWritable) != 0 && !writable_) {
    writable_ = true;
    flush();
  }
  if ((ready & kReadable) != 0) {
    readable_ = true;
    read_some();
  }
}

void Connection::finish_connecting() {
  const int error = transport_->connect_error();
  if (error != 0) {
    finish({CloseReason::Kind::connect_failed, error});
    return;
  }
  state_ = State::open;
  writable_ = true;
  events_.on_connected();
  if (state_ == State::open) {
    flush();
    read_some();
  }
}

// ---- reading

void Connection::read_some() {
  if (state_ == State::lingering) {
    drop_input();
    return;
  }
  if (state_ != State::open || !offer_stash()) {
    return;
  }
  for (int i = 0; readable_ && paused_ == 0 && state_ == State::open; ++i) {
    if (i == kReadsPerTurn) {
      loop_.next_turn(read_task_);
      return;
    }
    const IoResult got = transport_->read(scratch_);
    switch (got.kind) {
      case IoResult::Kind::ok: {
        bytes_read_ += got.bytes;
        const bool emptied = got.bytes < scratch_.size() && !peer_closed_;
        if (emptied) {
          readable_ = false;  // till the next event
        }
        if (!deliver({scratch_.data(), got.bytes})) {
          return;
        }
        readable_ = readable_ || (emptied && events_.expects_more());
        break;
      }
      case IoResult::Kind::would_block:
        readable_ = false;
        break;
      case IoResult::Kind::end:
        readable_ = false;
        end_pending_ = true;
        break;
      case IoResult::Kind::error:
        finish({CloseReason::Kind::error, got.error});
        return;
    }
  }
  if (end_pending_ && paused_ == 0 && state_ == State::open) {
    end_pending_ = false;
    end_delivered_ = true;
    events_.on_end();
  }
}

// False: stop reading for now.
bool Connection::offer_stash() {
  while (!stash_.empty() && paused_ == 0) {
    std::string bytes = std::exchange(stash_, {});
    const std::size_t taken = events_.on_bytes(bytes);
    if (state_ != State::open) {
      return state_ == State::lingering;
    }
    if (taken < bytes.size()) {
      bytes.erase(0, taken);
      stash_ = std::move(bytes);
      if (taken == 0) {
        return false;
      }
    }
  }
  return paused_ == 0;
}

bool Connection::deliver(std::string_view bytes) {
  const std::size_t taken = events_.on_bytes(bytes);
  if (state_ != State::open) {
    if (state_ == State::lingering) {
      drop_input();
    }
    return false;
  }
  if (taken < bytes.size()) {
    stash_.append(bytes.substr(taken));
    if (paused_ == 0) {  // resumed meanwhile
      loop_.at_turn_end(read_task_);
      return false;
    }
  }
  return true;
}

void Connection::drop_input() {
  stash_.clear();
  while (readable_ && state_ == State::lingering) {
    const IoResult got = transport_->read(scratch_);
    if (got.kind == IoResult::Kind::would_block) {
      readable_ = false;
    } else if (got.kind == IoResult::Kind::end) {
      readable_ = false;
      end_delivered_ = true;
      if (write_ended_) {
        finish({CloseReason::Kind::local, 0});
      }
    } else if (got.kind == IoResult::Kind::error) {
      finish({CloseReason::Kind::error, got.error});
    }
  }
}

void Connection::resume(Pause reason) {
  paused_ &= static_cast<std::uint8_t>(~static_cast<unsigned>(reason));
  if (paused_ == 0 && (readable_ || end_pending_ || !stash_.empty())) {
    loop_.at_turn_end(read_task_);
  }
}

// ---- writing

char* Connection::reserve(std::size_t size) { return out_.reserve(size); }

void Connection::commit(std::size_t size) {
  out_.commit(size);
  after_write();
}

void Connection::write(std::string_view data) {
  if (state_ == State::closed || write_ended_ || failure_ != 0) {
    return;
  }
  if (data.size() >= kDirectWrite && writable_) {
    std::size_t taken = 0;
    if (!write_out(data, taken)) {
      return;
    }
    data.remove_prefix(taken);
  }
  if (!data.empty()) {
    out_.append(data);
  }
  after_write();
}

void Connection::after_write() {
  if (out_.size() > kHighMark) {
    above_mark_ = true;
  }
  if (!out_.empty() && writable_) {
    loop_.at_turn_end(flush_task_);
  }
}

// Writes the queue, and `extra` behind it, until the socket is full. `taken`: how much of `extra` left. False: failed.
bool Connection::write_out(std::string_view extra, std::size_t& taken) {
  while (writable_ && (!out_.empty() || taken < extra.size())) {
    std::array<iovec, kIovecs> parts;
    std::size_t count = out_.peek({parts.data(), kIovecs - 1});
    std::size_t offered = 0;
    for (std::size_t i = 0; i < count; ++i) {
      offered += parts[i].iov_len;
    }
    const std::size_t queued = offered;
    if (queued == out_.size() && taken < extra.size()) {
      parts[count++] = {const_cast<char*>(extra.data()) + taken, extra.size() - taken};
      offered += extra.size() - taken;
    }
    const IoResult put = transport_->write({parts.data(), count});
    if (put.kind == IoResult::Kind::error) {
      fail_later(put.error);
      return false;
    }
    if (put.kind == IoResult::Kind::ok) {
      bytes_written_ += put.bytes;
      const std::size_t from_queue = put.bytes < queued ? put.bytes : queued;
      out_.consume(from_queue);
      taken += put.bytes - from_queue;
    }
    if (put.kind == IoResult::Kind::would_block || put.bytes < offered) {
      writable_ = false;
    }
  }
  return true;
}

void Connection::flush() {
  if (state_ != State::open && state_ != State::lingering) {
    return;
  }
  std::size_t none = 0;
  if (!write_out({}, none)) {
    return;
  }
  const bool ended_now = out_.empty() && end_write_wanted_ && !write_ended_;
  if (ended_now) {
    write_ended_ = true;
    transport_->shutdown_write();
    if (state_ == State::lingering) {
      if (end_delivered_) {
        finish({CloseReason::Kind::local, 0});
        return;
      }
      loop_.arm(linger_timer_, linger_);
    }
  }
  if (above_mark_ && out_.size() <= kLowMark) {
    above_mark_ = false;
    if (state_ == State::open) {
      events_.on_drained();
    }
  }
  if (ended_now && state_ == State::open) {
    events_.on_write_ended();
  }
}

void Connection::end_write() {
  end_write_wanted_ = true;
  loop_.at_turn_end(flush_task_);
}

// ---- ends

void Connection::close_gently(Nanoseconds linger) {
  if (state_ == State::closed || state_ == State::lingering) {
    return;
  }
  state_ = State::lingering;
  linger_ = linger;
  stash_.clear();
  end_write_wanted_ = true;
  loop_.at_turn_end(flush_task_);
  // A peer that reads nothing must not hold the connection for ever.
  loop_.arm(linger_timer_, linger * 2);
}

void Connection::on_linger_over() { finish({CloseReason::Kind::local, 0}); }

void Connection::close_now(bool reset) {
  if (state_ == State::closed) {
    return;
  }
  state_ = State::closed;
  flush_task_.cancel();
  read_task_.cancel();
  failure_task_.cancel();
  linger_timer_.cancel();
  out_.clear();
  stash_ = {};
  transport_->close(reset);
}

// A write may fail deep inside somebody's call: whose turn it is must not be told there.
void Connection::fail_later(int error) {
  failure_ = error;
  writable_ = false;
  loop_.at_turn_end(failure_task_);
}

void Connection::finish_failure() {
  // What the peer said before it hung up may still be there: an early answer counts more than our failed write.
  if (state_ == State::open && paused_ == 0) {
    readable_ = true;
    peer_closed_ = true;
    read_some();
  }
  if (state_ != State::closed) {
    finish({CloseReason::Kind::error, failure_});
  }
}

void Connection::finish(CloseReason reason) {
  if (state_ == State::closed) {
    return;
  }
  close_now(reason.kind == CloseReason::Kind::error);
  events_.on_closed(reason);
}

}  // namespace remora::net
