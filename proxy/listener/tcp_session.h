// TcpSession: one downstream connection of a listener that tunnels TCP. Owned by its Listener; worker thread. The bytes
// are Tunnel's; what it was and how it ended goes to numbers and access logs here.
#pragma once

#include <memory>
#include <string>

#include "proxy/exchange/worker_context.h"
#include "proxy/listener/downstream.h"
#include "proxy/tcp/tunnel.h"

namespace remora::proxy {

class Listener;

class TcpSession final : public Downstream, TunnelOwner {
 public:
  TcpSession(Listener& listener, std::unique_ptr<net::Transport> transport, std::uint64_t id);

  // Nobody can ask a tunnel to end: it runs until the deadline, as in Envoy.
  void drain() override {}
  void abort() override { tunnel_.abort(); }

 private:
  upstream::ClusterState* find_cluster(const std::string& name) override;
  metrics::TunnelSeries& tunnel_series(std::string_view cluster_label) override;
  void on_tunnel_end(metrics::TunnelEnd end) override;
  void write_access_logs();

  Listener& listener_;
  const std::shared_ptr<const model::Listener> config_;  // as it was when the connection came
  const std::uint64_t id_;
  const WallTime start_wall_;
  Address remote_;
  Address local_;
  Tunnel tunnel_;
};

}  // namespace remora::proxy
