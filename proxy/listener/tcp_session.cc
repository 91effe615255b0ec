#include "proxy/listener/tcp_session.h"

#include "proxy/listener/listener.h"
#include "proxy/upstream/endpoint_state.h"

namespace remora::proxy {

TcpSession::TcpSession(Listener& listener, std::unique_ptr<net::Transport> transport, std::uint64_t id)
    : listener_(listener),
      config_(listener.context().config),
      id_(id),
      start_wall_(listener.worker().wall()),
      tunnel_(listener.connection_context(), listener.worker().random, *config_->tcp(), *this, std::move(transport)) {
  remote_ = tunnel_.downstream().transport().peer_address();
  local_ = tunnel_.downstream().transport().local_address();
}

upstream::ClusterState* TcpSession::find_cluster(const std::string& name) {
  return listener_.context().clusters->find(name);
}

metrics::TunnelSeries& TcpSession::tunnel_series(std::string_view cluster_label) {
  return *listener_.worker().metrics.tunnels(config_->service, cluster_label);
}

void TcpSession::on_tunnel_end(metrics::TunnelEnd) {
  series->bytes_received.add(tunnel_.downstream().bytes_read());
  series->bytes_sent.add(tunnel_.downstream().bytes_written());
  if (listener_.worker().access_log != nullptr && !config_->access_logs().empty()) {
    write_access_logs();
  }
  listener_.remove(*this);
}

void TcpSession::write_access_logs() {
  const TunnelFacts& facts = tunnel_.facts();
  const std::string remote_text = remote_.to_string();
  const std::string remote_ip = remote_.ip();
  const std::string local_text = local_.to_string();
  ConnectionFacts connection;
  connection.id = id_;
  connection.remote = remote_;
  connection.local = local_;
  connection.remote_text = remote_text;
  connection.remote_ip = remote_ip;
  connection.local_text = local_text;

  RequestInfo info;
  info.tunnel = true;
  info.connection = &connection;
  info.start_wall = start_wall_;
  info.start = facts.start;
  info.end = facts.end;
  info.flags = facts.flags;
  info.bytes_received = facts.bytes_received;
  info.bytes_sent = facts.bytes_sent;
  info.attempts = facts.attempts;
  info.connection_termination = facts.end_words;
  info.upstream_failure = facts.upstream_failure;
  info.upstream_local_text = facts.upstream_local_text;
  if (tunnel_.cluster() != nullptr) {
    info.cluster = &tunnel_.cluster()->config();
  }
  if (facts.endpoint) {
    info.upstream_host_text = facts.endpoint->text();
  }
  for (const model::AccessLog& log : config_->access_logs()) {
    listener_.worker().access_log->log(log, info, listener_.worker().random);
  }
}

}  // namespace remora::proxy
