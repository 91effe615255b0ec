// Connection: one byte stream with an output queue, pause reasons, half-close and an orderly end. Knows no HTTP.
// Owned by a Session or an upstream pool; the loop's thread. Its owner hears of everything through ConnectionEvents,
// never from inside a call that it makes itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/event/loop.h"
#include "core/net/transport.h"

namespace remora::net {

// What connections of one thread share.
struct ConnectionContext {
  Loop& loop;
  BlockPool& blocks;
  std::span<char> scratch;  // where every read lands; one read at a time
};

// Why reading is paused; reading goes on when no reason is left.
enum class Pause : std::uint8_t {
  peer_full = 1,  // what we read goes to a writer that is full
  busy = 2,       // the exchange before is not finished
  held = 4,       // whom the bytes are for is not ready
};

struct CloseReason {
  enum class Kind : std::uint8_t { local, remote, connect_failed, connect_timeout, error };
  Kind kind = Kind::local;
  int error = 0;  // errno
};

class ConnectionEvents {
 public:
  virtual void on_connected() {}
  // Bytes came; answers how many it took. What it did not take is kept, and offered again when reading resumes: it must
  // have paused the connection then.
  virtual std::size_t on_bytes(std::string_view bytes) = 0;
  // Must more come before what came means anything (the middle of a message)? Asked after a read that emptied the
  // socket: a reset right behind those bytes came by the same event, and nothing else will tell of it, so that the
  // connection looks once more. Who says no meets the reset when it writes.
  virtual bool expects_more() const { return true; }
  // The peer will send no more. The write side is still open.
  virtual void on_end() = 0;
  // The output queue fell below its low mark, after it had been above the high one.
  virtual void on_drained() {}
  // After `end_write`: all that was queued has left, and FIN behind it.
  virtual void on_write_ended() {}
  // The connection is gone; nothing follows. Not called after `close_now`.
  virtual void on_closed(CloseReason reason) = 0;

 protected:
  ~ConnectionEvents() = default;
};

class Connection final : public TransportEvents, public ByteSink {
 public:
  static constexpr std::size_t kHighMark = 128 * 1024;
  static constexpr std::size_t kLowMark = 32 * 1024;

  // `connecting`: on_connected, or on_closed, follows.
  Connection(const ConnectionContext& context, std::unique_ptr<Transport> transport, ConnectionEvents& events,
             bool connecting);
  ~Connection();

  char* reserve(std::size_t size) override;
  void commit(std::size_t size) override;
  void write(std::string_view data) override;

  bool above_high_mark() const { return out_.size() > kHighMark; }
  std::size_t queued() const { return out_.size(); }

  void pause(Pause reason) { paused_ |= static_cast<std::uint8_t>(reason); }
  void resume(Pause reason);
  bool paused() const { return paused_ != 0; }

  // Sends FIN when all that is queued has left.
  void end_write();
  // Sends what is queued, then FIN; then reads and drops until the peer closes or `linger` is over. on_closed follows.
  void close_gently(Nanoseconds linger);
  // Ends it here: no event follows. What is queued is lost.
  void close_now(bool reset = false);

  bool open() const { return state_ == State::open; }
  bool closed() const { return state_ == State::closed; }
  bool end_seen() const { return end_delivered_; }
  // Bytes arrived that nobody took yet.
  bool has_unread() const { return !stash_.empty(); }

  Transport& transport() { return *transport_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  enum class State : std::uint8_t { connecting, open, lingering, closed };

  void on_transport_ready(unsigned ready) override;
  void finish_connecting();
  void read_some();
  bool offer_stash();
  bool deliver(std::string_view bytes);
  void drop_input();
  void flush();
  bool write_out(std::string_view extra, std::size_t& taken);
  void after_write();
  void fail_later(int error);
  void finish_failure();
  void finish(CloseReason reason);
  void on_linger_over();

  Loop& loop_;
  std::span<char> scratch_;
  std::unique_ptr<Transport> transport_;
  ConnectionEvents& events_;

  State state_;
  std::uint8_t paused_ = 0;
  bool readable_ = false;  // an edge was seen that reading has not used up
  bool writable_ = false;
  bool peer_closed_ = false;  // FIN or RST is behind what is left to read
  bool end_pending_ = false;  // EOF was read, on_end not yet called
  bool end_delivered_ = false;
  bool above_mark_ = false;
  bool end_write_wanted_ = false;
  bool write_ended_ = false;
  int failure_ = 0;

  OutputQueue out_;
  std::string stash_;  // read, but not taken
  Task flush_task_;
  Task read_task_;
  Task failure_task_;
  Timer linger_timer_;
  Nanoseconds linger_{0};
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace remora::net
