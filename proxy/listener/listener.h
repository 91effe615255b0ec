// Listener: accepts downstream connections for one worker, and owns what it makes of them: Sessions, or TcpSessions.
// Owned by the Worker; worker thread.
#pragma once

#include <memory>

#include "core/net/connection.h"
#include "core/net/network.h"
#include "proxy/exchange/worker_context.h"

namespace remora::proxy {

class Downstream;

class Listener final : net::AcceptEvents {
 public:
  Listener(WorkerContext& worker, const net::ConnectionContext& connections,
           std::shared_ptr<const model::Listener> config);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  Result<void> open(net::Network& network, bool reuse_port);
  void stop_accepting();
  void drain();  // sessions close as soon as they may
  void abort();  // sessions close now

  WorkerContext& worker() { return worker_; }
  ListenerContext& context() { return context_; }
  const net::ConnectionContext& connection_context() const { return connections_; }
  Loop& loop() { return worker_.loop; }
  std::size_t connections() const { return count_; }
  bool is_inbound() const { return context_.config->direction == model::Listener::Direction::inbound; }
  Address address() const { return acceptor_ ? acceptor_->address() : context_.config->address; }

  void remove(Downstream& session);  // it retires

 private:
  void on_accept(std::unique_ptr<net::Transport> transport) override;
  void on_refuse(std::unique_ptr<net::Transport> transport, int error) override;

  WorkerContext& worker_;
  net::ConnectionContext connections_;
  ListenerContext context_;
  std::unique_ptr<net::Acceptor> acceptor_;
  Downstream* first_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace remora::proxy
