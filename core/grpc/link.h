// Link: one HTTP/2 connection that carries gRPC calls: it joins a net::Connection, an Http2Session and the halves of
// its calls, and keeps the connection alive. ClientConnection (of a Channel) and ServerConnection (of a Server) say
// what is special to each side. Retired, never deleted, since its end may come inside its own callbacks; the loop's
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/event/loop.h"
#include "core/grpc/call.h"
#include "core/grpc/stream.h"
#include "core/http/http2_session.h"
#include "core/net/connection.h"

namespace remora::grpc {

struct LinkOptions {
  http::Http2Options http2;
  std::size_t max_message_bytes = 0;
  Nanoseconds ping_interval{0};
  Nanoseconds ping_timeout{0};
  Nanoseconds handshake_timeout{0};  // until the peer's SETTINGS
};

class Link : public Retirable, protected net::ConnectionEvents, protected http::Http2Events {
 public:
  ~Link() override;

  http::Http2Session& session() { return session_; }
  Loop& loop() { return loop_; }
  const std::string& peer_name() const { return peer_name_; }
  const Address& peer_address() const { return peer_; }
  void schedule_flush();

  bool over() const { return over_; }              // nothing will come of it any more
  bool going_away() const { return going_away_; }  // it takes no new calls
  bool handshaken() const { return handshaken_; }
  std::size_t calls() const { return calls_.size(); }

  // Its owner is gone: ends everything now, tells nobody. To be retired next.
  void abandon();

 protected:
  Link(const net::ConnectionContext& context, std::unique_ptr<net::Transport> transport, const Address& peer,
       bool connecting, const LinkOptions& options);

  CallHalf& add(std::unique_ptr<CallHalf> half);
  // Closes the connection and every call with this.
  void lose(const Status& status);
  void lose_later(Status status);
  // Sends GOAWAY, then loses it once what was queued has left.
  void part(http::Http2Error error, std::string_view words, const Status& status);

  // Refuses new calls in two steps: see Http2Session::announce_shutdown.
  void begin_shutdown();

  virtual void on_new_stream(http::Http2StreamId) {}
  virtual void on_gone() {}  // the socket is closed: the last call
  virtual void on_goaway_seen(std::uint32_t, std::string_view) {}
  virtual bool pings_now() const = 0;
  virtual std::string describe(const net::CloseReason& reason) const;

  const LinkOptions options_;
  bool going_away_ = false;
  Nanoseconds ping_interval_;

  void on_connected() override;

 private:
  // net::ConnectionEvents
  std::size_t on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_closed(net::CloseReason reason) override;
  // http::Http2Events
  void on_headers(http::Http2StreamId stream, http::Http2Headers headers, bool end) override;
  void on_data(http::Http2StreamId stream, std::string_view data) override;
  void on_end(http::Http2StreamId stream) override;
  void on_end_sent(http::Http2StreamId stream) override;
  void on_stream_closed(http::Http2StreamId stream, std::uint32_t error) override;
  http::Http2Pull pull(http::Http2StreamId stream, std::span<char> into) override;
  void on_goaway(http::Http2StreamId last, std::uint32_t error, std::string_view debug) override;
  void on_settings() override;
  void on_ping_answer() override;

  CallHalf* find(http::Http2StreamId stream);
  void flush();
  void after_session(bool healthy);
  void stop_timers();
  Status end_of_session() const;
  void on_handshake_over();
  void on_ping_timer();
  void finish_loss();

  Loop& loop_;
  const Address peer_;
  const std::string peer_name_;
  std::map<http::Http2StreamId, std::unique_ptr<CallHalf>> calls_;
  std::vector<std::unique_ptr<CallHalf>> closed_;  // until nothing of them is on the stack
  http::Http2Session session_;
  std::optional<net::Connection> connection_;
  bool over_ = false;
  bool handshaken_ = false;
  bool heard_ = false;         // something came since the ping timer was armed
  bool ping_pending_ = false;  // a PING waits for its answer
  bool goaway_after_ping_ = false;
  std::string farewell_;  // what the peer's GOAWAY said
  std::optional<Status> loss_;
  Task flush_task_;
  Task loss_task_;
  Timer handshake_timer_;
  Timer ping_timer_;
};

}  // namespace remora::grpc
