// ConnectionPool: one worker's connections to one endpoint: idle ones to take now, new ones to wait for. Owned by its
// EndpointState; worker thread.
// UpstreamConnection: one of them, with its codec. Owned by the pool; leased to one Attempt at a time (HTTP/1).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "core/event/loop.h"
#include "core/http/http1_client.h"
#include "core/net/connection.h"
#include "core/net/network.h"
#include "metrics/series.h"
#include "proxy/model/cluster.h"

namespace remora::upstream {

class ClusterState;
class ConnectionPool;
class EndpointState;
class RawConnection;

struct PoolContext {
  net::ConnectionContext connections;
  net::Network& network;
  ClusterState& cluster;
};

// Why no connection could be had.
struct ConnectFailure {
  enum class Kind : std::uint8_t { failed, timeout, overflow };
  Kind kind = Kind::failed;
  int error = 0;  // errno
};

// What the holder of a lease hears of the connection itself. Implemented by Attempt.
class LeaseEvents {
 public:
  virtual void on_upstream_drained() = 0;  // below the low mark again

 protected:
  ~LeaseEvents() = default;
};

class UpstreamConnection final : public Retirable, net::ConnectionEvents, http::ClientCodecEvents {
 public:
  UpstreamConnection(ConnectionPool& pool, std::unique_ptr<net::Transport> transport);

  net::Connection& connection() { return connection_; }
  // Lends it out: what `sink` gets is the answer to what the stream is given.
  http::ClientStream& begin(http::ResponseSink& sink, LeaseEvents& events);
  bool used_before() const { return requests_ > 1; }  // for the holder of the lease: a request went over it before
  std::string_view local_text();
  // The holder gives up: the connection closes.
  void abandon();

 private:
  friend class ConnectionPool;
  enum class State : std::uint8_t { connecting, idle, leased, closed };

  void on_connected() override;
  std::size_t on_bytes(std::string_view bytes) override;
  bool expects_more() const override { return state_ == State::leased; }
  void on_end() override;
  void on_drained() override;
  void on_closed(net::CloseReason reason) override;
  void on_client_stream_done(bool reusable) override;
  bool on_half_close() override {
    connection_.end_write();
    return true;
  }
  void on_connect_timeout();
  void on_idle_timeout();
  void on_expired() { expired_ = true; }
  void close(bool reset);
  template <typename... Words>
  void say(std::string_view format, const Words&... words);  // at debug level

  ConnectionPool& pool_;
  const std::uint64_t id_;  // in its cluster, for logs
  net::Connection connection_;
  http::Http1Client codec_;
  LeaseEvents* lease_ = nullptr;
  Timer timer_;  // connect timeout, then idle timeout
  Timer max_age_;
  State state_ = State::connecting;
  bool expired_ = false;
  std::uint32_t requests_ = 0;
  std::string local_text_;
  UpstreamConnection* next_ = nullptr;  // in one of the pool's lists
  UpstreamConnection* previous_ = nullptr;
};

// One attempt's wish for a connection. A member of Attempt; cancels when it dies.
class PoolWaiter {
 public:
  PoolWaiter() = default;
  PoolWaiter(const PoolWaiter&) = delete;
  PoolWaiter& operator=(const PoolWaiter&) = delete;
  virtual void on_connection(UpstreamConnection& connection) = 0;
  virtual void on_no_connection(ConnectFailure failure) = 0;
  bool waiting() const { return pool_ != nullptr; }
  void cancel_wait();

 protected:
  virtual ~PoolWaiter() { cancel_wait(); }

 private:
  friend class ConnectionPool;
  ConnectionPool* pool_ = nullptr;
  PoolWaiter* next_ = nullptr;
  PoolWaiter* previous_ = nullptr;
};

template <typename T>
struct LinkedList {
  T* first = nullptr;
  T* last = nullptr;
  std::uint32_t size = 0;
};

class ConnectionPool {
 public:
  ConnectionPool(const PoolContext& context, EndpointState& endpoint);
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  ~ConnectionPool();

  // An idle connection, the one used last; null: none. The caller begins a stream on it at once.
  UpstreamConnection* take_ready();
  bool has_ready() const { return ready_.size > 0; }
  // Puts the waiter in line, opening a connection for it where limits allow. It hears on a later turn. The error comes
  // back at once when nobody may wait.
  std::expected<void, ConnectFailure> wait(PoolWaiter& waiter);

  void close_idle();
  // Closes idle connections; leased ones close when they are done. For drains and for endpoints that went away.
  void drain();
  // The endpoint is wanted again after all.
  void undrain() { draining_ = false; }
  // What is open now serves no request that begins later: the settings that it was opened with hold no more.
  void renew();
  bool idle() const { return ready_.size + leased_.size + connecting_.size + raw_ == 0 && waiters_.size == 0; }
  std::uint32_t connections() const { return ready_.size + leased_.size + connecting_.size; }

 private:
  friend class UpstreamConnection;
  friend class PoolWaiter;
  friend class RawConnection;

  // Begins to connect, and counts it. `strict`: the limit on connections holds even where there is none yet.
  std::expected<std::unique_ptr<net::Transport>, ConnectFailure> connect(bool strict);
  void count_closed(const net::Connection& connection, bool was_open);
  std::expected<void, ConnectFailure> open_connection();
  void on_ready(UpstreamConnection& connection);  // new, or done with a request
  void on_gone(UpstreamConnection& connection, ConnectFailure failure);
  void serve_waiters();
  void fail_waiters();
  LinkedList<UpstreamConnection>& list_of(UpstreamConnection& connection);
  void move(UpstreamConnection& connection, UpstreamConnection::State to);
  void remove_waiter(PoolWaiter& waiter);
  void remove(UpstreamConnection& connection);

  net::ConnectionContext connections_;
  net::Network& network_;
  ClusterState& cluster_;
  EndpointState& endpoint_;
  LinkedList<UpstreamConnection> connecting_;
  LinkedList<UpstreamConnection> ready_;
  LinkedList<UpstreamConnection> leased_;
  LinkedList<PoolWaiter> waiters_;
  std::uint32_t raw_ = 0;  // RawConnections of tunnels
  bool draining_ = false;
  Task serve_task_;
  Task fail_task_;
  ConnectFailure failure_;
};

}  // namespace remora::upstream
