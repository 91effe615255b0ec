// RawConnection: a connection to an endpoint without a codec, for a tunnel. Counted, limited and timed as the pool's
// own are, but never pooled: it ends with its tunnel. Owned by a Tunnel; worker thread.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "core/event/loop.h"
#include "core/net/connection.h"
#include "proxy/upstream/connection_pool.h"

namespace remora::upstream {

class RawEvents {
 public:
  virtual void on_upstream_connected() = 0;
  // Of a connection that was not established; nothing follows.
  virtual void on_upstream_failed(ConnectFailure failure) = 0;
  virtual std::size_t on_upstream_bytes(std::string_view bytes) = 0;
  virtual void on_upstream_end() = 0;
  virtual void on_upstream_write_ended() = 0;
  virtual void on_upstream_drained() = 0;
  virtual void on_upstream_closed(net::CloseReason reason) = 0;

 protected:
  ~RawEvents() = default;
};

class RawConnection final : public Retirable, net::ConnectionEvents {
 public:
  // Begins to connect; the error is what is known at once. `pool` and `events` outlive it.
  static std::expected<std::unique_ptr<RawConnection>, ConnectFailure> open(ConnectionPool& pool, RawEvents& events);
  ~RawConnection() override { close(); }

  // Gives back what it holds of the pool: do so before it retires, for the pool may be gone at the turn's end.
  void close(bool reset = false);
  net::Connection& connection() { return connection_; }
  bool connected() const { return connected_; }
  std::string local_text() { return connection_.transport().local_address().to_string(); }

 private:
  RawConnection(ConnectionPool& pool, std::unique_ptr<net::Transport> transport, RawEvents& events);

  void on_connected() override;
  std::size_t on_bytes(std::string_view bytes) override { return events_.on_upstream_bytes(bytes); }
  void on_end() override { events_.on_upstream_end(); }
  void on_drained() override { events_.on_upstream_drained(); }
  void on_write_ended() override { events_.on_upstream_write_ended(); }
  void on_closed(net::CloseReason reason) override;
  void on_connect_timeout();

  ConnectionPool& pool_;
  RawEvents& events_;
  net::Connection connection_;
  bool connected_ = false;
  bool closed_ = false;
  Timer timer_;  // connect timeout
};

// The label of remora_upstream_connect_failures_total.
metrics::ConnectFailure connect_failure_label(const ConnectFailure& failure);

}  // namespace remora::upstream
