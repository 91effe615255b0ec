// Listener: one address where a worker accepts downstream connections, and what came of it: Sessions, or TcpSessions. A
// new configuration of the same address is adopted: socket and connections stay, requests that begin from then on
// follow it. Owned by the Worker; worker thread.
#pragma once

#include <memory>
#include <vector>

#include "core/net/connection.h"
#include "core/net/network.h"
#include "proxy/exchange/worker_context.h"

namespace remora::proxy {

class Downstream;

// One configuration of a listener, ready for every worker. Immutable.
struct PreparedListener {
  std::shared_ptr<const model::Listener> config;
  std::shared_ptr<const routing::RouteTable> routes;  // null: it tunnels
  Address address;   // to listen on: the configured one, with the port that the system chose
  bool open = true;  // false: it could not be had. What listens under the name goes on as it is
};

class Listener final : net::AcceptEvents {
 public:
  Listener(WorkerContext& worker, const net::ConnectionContext& connections, const PreparedListener& prepared,
           std::shared_ptr<const ClusterDirectory> clusters);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  Result<void> open(net::Network& network, const Address& address, bool reuse_port);
  // What is in flight keeps the configuration that it has.
  void adopt(const PreparedListener& prepared, std::shared_ptr<const ClusterDirectory> clusters);
  void stop_accepting();
  void drain();  // sessions close as soon as they may
  void abort();  // sessions close now
  // No configuration has it any more: takes no more connections, drains, and aborts after `drain_time`.
  void leave(Nanoseconds drain_time);
  // Nothing is left of it: it may be destroyed.
  bool over() const { return first_ == nullptr && !former_http_ && old_contexts_.empty() && !context_->pinned(); }
  // Now and then: frees configurations that nothing in flight looks at any more. True: it needs fewer clusters now.
  bool sweep();

  WorkerContext& worker() { return worker_; }
  ListenerContext& context() { return *context_; }
  // For HTTP sessions, whatever is spoken here now. REQUIRES: there is one.
  ListenerContext& http_context() { return former_http_ ? *former_http_ : *context_; }
  const ListenerContext& context() const { return *context_; }
  const net::ConnectionContext& connection_context() const { return connections_; }
  Loop& loop() { return worker_.loop; }
  // visit(directory) for each whose clusters its connections may ask for.
  template <typename Visit>
  void for_each_directory(Visit&& visit) const {
    visit(*context_->clusters);
    if (former_http_) {
      visit(*former_http_->clusters);
    }
  }
  std::size_t connections() const { return count_; }
  bool is_inbound() const { return context_->config->direction == model::Listener::Direction::inbound; }
  std::size_t old_contexts() const { return old_contexts_.size(); }
  const Address& address() const { return address_; }

  void remove(Downstream& session);  // it retires

 private:
  void drain_sessions();
  void put_away(std::unique_ptr<ListenerContext> context);  // it may be null
  std::unique_ptr<ListenerContext> make_context(const PreparedListener& prepared,
                                                std::shared_ptr<const ClusterDirectory> clusters);
  void on_accept(std::unique_ptr<net::Transport> transport) override;
  void on_refuse(std::unique_ptr<net::Transport> transport, int error) override;

  WorkerContext& worker_;
  net::ConnectionContext connections_;
  std::unique_ptr<ListenerContext> context_;
  std::unique_ptr<ListenerContext> former_http_;  // it tunnels now, but sessions of before are left; they drain
  std::vector<std::unique_ptr<ListenerContext>> old_contexts_;  // while pinned
  std::unique_ptr<net::Acceptor> acceptor_;
  Address address_;
  Downstream* first_ = nullptr;
  std::size_t count_ = 0;
  std::size_t http_sessions_ = 0;  // among them
  Timer deadline_;
};

}  // namespace remora::proxy
