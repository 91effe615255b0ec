#include "proxy/listener/listener.h"

#include <array>
#include <string_view>

#include "proxy/listener/session.h"
#include "proxy/listener/tcp_session.h"

namespace remora::proxy {

Listener::Listener(WorkerContext& worker, const net::ConnectionContext& connections, const PreparedListener& prepared,
                   std::shared_ptr<const ClusterDirectory> clusters)
    : worker_(worker),
      connections_(connections),
      context_(make_context(prepared, std::move(clusters))),
      address_(prepared.address) {
  deadline_.bind<&Listener::abort>(this);
}

Listener::~Listener() { abort(); }

std::unique_ptr<ListenerContext> Listener::make_context(const PreparedListener& prepared,
                                                        std::shared_ptr<const ClusterDirectory> clusters) {
  auto context = std::make_unique<ListenerContext>();
  context->config = prepared.config;
  context->routes = prepared.routes;
  context->clusters = std::move(clusters);
  context->series = worker_.metrics.listener(context->config->name);
  if (context->config->tcp() == nullptr) {
    context->route_series.resize(context->config->http().routes->route_count);
    context->unrouted = worker_.metrics.requests(context->config->service, "", "");
  }
  return context;
}

Result<void> Listener::open(net::Network& network, const Address& address, bool reuse_port) {
  net::ListenOptions options;
  options.backlog = context_->config->tcp_backlog_size;
  options.reuse_port = reuse_port;
  auto acceptor = network.listen(address, options, *this);
  if (!acceptor) {
    return fail("listener '" + context_->config->name + "': " + acceptor.error().message);
  }
  acceptor_ = std::move(*acceptor);
  address_ = acceptor_->address();
  return {};
}

void Listener::adopt(const PreparedListener& prepared, std::shared_ptr<const ClusterDirectory> clusters) {
  if (context_->config == prepared.config && context_->routes == prepared.routes) {
    context_->clusters = std::move(clusters);
    return;
  }
  std::unique_ptr<ListenerContext> before = std::exchange(context_, make_context(prepared, std::move(clusters)));
  context_->draining = before->draining;
  if (context_->config->tcp() == nullptr) {
    put_away(std::move(former_http_));
  } else if (before->config->tcp() == nullptr && http_sessions_ > 0) {
    former_http_ = std::move(before);
    former_http_->draining = true;
    drain_sessions();
  }
  put_away(std::move(before));
}

void Listener::put_away(std::unique_ptr<ListenerContext> context) {
  if (!context) {
    return;
  }
  context->clusters.reset();
  if (context->pinned()) {
    old_contexts_.push_back(std::move(context));
  }
}

bool Listener::sweep() {
  std::erase_if(old_contexts_, [](const auto& context) { return !context->pinned(); });
  if (!former_http_ || http_sessions_ > 0) {
    return false;
  }
  put_away(std::move(former_http_));
  return true;
}

void Listener::leave(Nanoseconds drain_time) {
  stop_accepting();
  drain();
  worker_.loop.arm(deadline_, drain_time);
}

void Listener::stop_accepting() {
  if (acceptor_) {
    acceptor_->stop();
  }
}

void Listener::on_accept(std::unique_ptr<net::Transport> transport) {
  metrics::ListenerSeries* series = context_->series;
  series->connections_accepted.add();
  series->connections_active.add(1);
  const std::uint64_t id = worker_.next_connection_id++;
  Downstream* session = nullptr;
  if (context_->config->tcp() != nullptr) {
    session = new TcpSession(*this, std::move(transport), id);
  } else {
    session = new Session(*this, std::move(transport), id);
    session->http = true;
    ++http_sessions_;
  }
  session->series = series;
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
  context_->series->accept_failures[metrics::AcceptFailure::no_fds].add();
  if (context_->config->tcp() != nullptr) {
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
  http_sessions_ -= session.http ? 1 : 0;
  session.series->connections_active.add(-1);
  worker_.active_connections.store(worker_.active_connections.load(std::memory_order_relaxed) - 1,
                                   std::memory_order_relaxed);
  worker_.loop.retire(std::unique_ptr<Retirable>(&session));
}

void Listener::drain() {
  context_->draining = true;
  drain_sessions();
}

void Listener::drain_sessions() {
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
