// Tunnel: one downstream connection and the upstream connection that it is joined to, byte for byte. Owned by a
// listener's TcpSession; worker thread. Nothing is read from the client before an endpoint is connected to; then a side
// that is full pauses the other, a FIN of one side is a FIN to the other, and a reset is a reset. Semantics: Envoy's
// tcp_proxy.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/random.h"
#include "core/event/loop.h"
#include "core/net/connection.h"
#include "metrics/series.h"
#include "proxy/info/response_flags.h"
#include "proxy/model/listener.h"
#include "proxy/upstream/cluster_state.h"
#include "proxy/upstream/raw_connection.h"

namespace remora::proxy {

// What is left to tell of a tunnel: for its access log.
struct TunnelFacts {
  MonotonicTime start{};
  MonotonicTime connected{};  // epoch: never
  MonotonicTime end{};
  ResponseFlags flags = 0;
  std::uint32_t attempts = 0;
  std::uint64_t bytes_received = 0;  // from the client
  std::uint64_t bytes_sent = 0;
  std::string_view end_words;    // "idle_timeout"; empty: both sides were done
  std::string upstream_failure;  // of the last attempt to connect, in words
  std::string upstream_local_text;
  std::shared_ptr<upstream::EndpointShared> endpoint;  // of the last attempt
};

class TunnelOwner {
 public:
  // Null: there is no such cluster.
  virtual upstream::ClusterState* find_cluster(const std::string& name) = 0;
  virtual metrics::TunnelSeries& tunnel_series(std::string_view cluster_label) = 0;
  // Both connections are closed; the tunnel is to retire.
  virtual void on_tunnel_end(metrics::TunnelEnd end) = 0;

 protected:
  ~TunnelOwner() = default;
};

class Tunnel final : net::ConnectionEvents, upstream::RawEvents {
 public:
  // Begins at the turn's end. What it is given outlives it, but for the transport, which it owns.
  Tunnel(const net::ConnectionContext& connections, Random& random, const model::TcpProxy& config, TunnelOwner& owner,
         std::unique_ptr<net::Transport> transport);
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  ~Tunnel();

  // Ends it here, with a reset: a cut stream must not look like a whole one.
  void abort() { end(metrics::TunnelEnd::shutdown); }

  net::Connection& downstream() { return downstream_; }
  upstream::ClusterState* cluster() { return cluster_; }
  TunnelFacts& facts() { return facts_; }

 private:
  struct Side {
    bool end_seen = false;     // it will send no more
    bool write_ended = false;  // it was sent all, and FIN
  };

  // the downstream's
  std::size_t on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_write_ended() override;
  void on_closed(net::CloseReason reason) override;
  // the upstream's
  void on_upstream_connected() override;
  void on_upstream_failed(upstream::ConnectFailure failure) override;
  std::size_t on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_end() override;
  void on_upstream_write_ended() override;
  void on_upstream_drained() override;
  void on_upstream_closed(net::CloseReason reason) override;

  void begin();
  void connect();
  void connect_to(upstream::EndpointState& endpoint);
  void on_attempt_failed(upstream::ConnectFailure failure);
  void drop_upstream(bool reset);
  void leave_endpoint();
  void end_if_done();
  void end_later(metrics::TunnelEnd end);
  void finish_end();
  void end(metrics::TunnelEnd end);
  void on_idle();
  void on_max_duration() { end(metrics::TunnelEnd::max_duration); }

  Loop& loop_;
  Random& random_;
  const model::TcpProxy& config_;
  TunnelOwner& owner_;
  net::Connection downstream_;
  std::unique_ptr<upstream::RawConnection> upstream_;
  upstream::ClusterState* cluster_ = nullptr;
  Pin<upstream::ClusterConfig> cluster_config_;  // so that the cluster outlives the tunnel
  upstream::EndpointState* endpoint_ = nullptr;  // counted as active there
  upstream::LbEndpoint* tried_ = nullptr;        // the attempt before failed there
  std::optional<std::uint64_t> hash_;
  upstream::LimitToken pending_;  // while it connects
  upstream::Breaker::Admission admission_;
  bool breaker_pending_ = false;
  metrics::TunnelSeries* series_ = nullptr;

  Side down_;
  Side up_;
  bool ended_ = false;
  metrics::TunnelEnd coming_end_ = metrics::TunnelEnd::closed;  // of end_task_
  Task begin_task_;
  Task end_task_;
  Timer idle_timer_;
  Timer max_duration_;
  MonotonicTime last_active_{};
  std::uint64_t written_at_check_ = 0;
  TunnelFacts facts_;
};

}  // namespace remora::proxy
