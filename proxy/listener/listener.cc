#include "proxy/listener/listener.h"

#include <array>
#include <string_view>

#include "proxy/listener/session.h"
#include "proxy/listener/tcp_session.h"

namespace remora::proxy {

Listener::Listener(WorkerContext& worker, const net::ConnectionContext& connections,
                   std::shared_ptr<const model::Listener> config)
    : worker_(worker), connections_(connections) {
  context_.config = std::move(config);
  context_.series = worker_.metrics.listener(context_.config->name);
  if (context_.config->tcp() != nullptr) {
    return;
  }
  context_.routes = std::make_shared<const routing::RouteTable>(context_.config->http().routes);
  context_.route_series.resize(context_.config->http().routes->route_count);
  context_.unrouted = worker_.metrics.requests(context_.config->service, "", "");
}

Listener::~Listener() { abort(); }

Result<void> Listener::open(net::Network& network, bool reuse_port) {
  net::ListenOptions options;
  options.backlog = context_.config->tcp_backlog_size;
  options.reuse_port = reuse_port;
  auto acceptor = network.listen(context_.config->address, options, *this);
  if (!acceptor) {
    return fail("listener '" + context_.config->name + "': " + acceptor.error().message);
  }
  acceptor_ = std::move(*acceptor);
  return {};
}

void Listener::stop_accepting() {
  if (acceptor_) {
    acceptor_->stop();
  }
}

void Listener::on_accept(std::unique_ptr<net::Transport> transport) {
  context_.series->connections_accepted.add();
  context_.series->connections_active.add(1);
  const std::uint64_t id = worker_.next_connection_id++;
  Downstream* session = nullptr;
  if (context_.config->tcp() != nullptr) {
    session = new TcpSession(*this, std::move(transport), id);
  } else {
    session = new Session(*this, std::move(transport), id);
  }
  session->next = first_;
  if (first_ != nullptr) {
    first_->previous = session;
  }
  first_ = session;
  ++count_;
  worker_.active_connections.store(worker_.active_connections.load(std::memory_order_relaxed) + 1,
                                   std::memory_order_relaxed);
}

void Listener::on_refuse(std::unique_ptr<net::Transport> transport, int) {
  context_.series->accept_failures[metrics::AcceptFailure::no_fds].add();
  if (context_.config->tcp() != nullptr) {
    return;
  }
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 29\r\ncontent-type: text/plain\r\n"
      "x-remora-reason: out_of_descriptors\r\nconnection: close\r\n\r\nproxy out of file descriptors";
  std::array<char, 4096> ignored;
  transport->read(ignored);
  const iovec answer{const_cast<char*>(kAnswer.data()), kAnswer.size()};
  transport->write({&answer, 1});
  transport->shutdown_write();
}

void Listener::remove(Downstream& session) {
  (session.previous == nullptr ? first_ : session.previous->next) = session.next;
  if (session.next != nullptr) {
    session.next->previous = session.previous;
  }
  --count_;
  context_.series->connections_active.add(-1);
  worker_.active_connections.store(worker_.active_connections.load(std::memory_order_relaxed) - 1,
                                   std::memory_order_relaxed);
  worker_.loop.retire(std::unique_ptr<Retirable>(&session));
}

void Listener::drain() {
  context_.draining = true;
  for (Downstream* session = first_; session != nullptr;) {
    Downstream* next = session->next;
    session->drain();
    session = next;
  }
}

void Listener::abort() {
  while (first_ != nullptr) {
    first_->abort();
  }
}

}  // namespace remora::proxy
