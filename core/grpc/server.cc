#include "core/grpc/server.h"

#include <utility>

#include "core/grpc/link.h"

namespace remora::grpc {
namespace {

LinkOptions link_options(const ServerOptions& options) {
  LinkOptions link;
  link.http2.server = true;
  link.http2.max_streams = options.max_streams;
  link.max_message_bytes = options.max_message_bytes;
  link.ping_interval = options.ping_interval;
  link.ping_timeout = options.ping_timeout;
  link.handshake_timeout = options.handshake_timeout;
  return link;
}

}  // namespace

class ServerConnection final : public Link {
 public:
  ServerConnection(Server& server, const net::ConnectionContext& context, std::unique_ptr<net::Transport> transport,
                   const Address& peer)
      : Link(context, std::move(transport), peer, false, link_options(server.options_)),
        server_(server),
        find_([this](std::string_view path) { return server_.find(path); }) {}

  using Link::begin_shutdown;
  void end(std::string_view words) { part(http::Http2Error::no_error, words, {Code::unavailable, std::string(words)}); }

 private:
  void on_new_stream(http::Http2StreamId id) override {
    add(std::make_unique<ServerHalf>(*this, id, options_.max_message_bytes, find_));
  }
  bool pings_now() const override { return true; }
  void on_gone() override { server_.gone(*this); }

  Server& server_;
  const ServerHalf::Find find_;
};

Server::Server(const net::ConnectionContext& context, net::Network& network, ServerOptions options)
    : context_(context), network_(network), options_(options) {
  grace_timer_.bind<&Server::end_all>(this);
}

Server::~Server() {
  for (ServerConnection* connection : std::exchange(connections_, {})) {
    connection->abandon();
    context_.loop.retire(std::unique_ptr<Retirable>(connection));
  }
}

void Server::handle(std::string path, Handler handler) {
  handlers_.insert_or_assign(std::move(path), std::move(handler));
}

Result<void> Server::listen(const Address& at) {
  auto acceptor = network_.listen(at, {.backlog = 4096, .reuse_port = false}, *this);
  if (!acceptor) {
    return std::unexpected(acceptor.error());
  }
  acceptor_ = std::move(*acceptor);
  return {};
}

Address Server::address() const { return acceptor_ == nullptr ? Address() : acceptor_->address(); }

const Handler* Server::find(std::string_view path) const {
  const auto found = handlers_.find(path);
  return found == handlers_.end() ? nullptr : &found->second;
}

void Server::on_accept(std::unique_ptr<net::Transport> transport) {
  if (connections_.size() >= options_.max_connections) {
    return;  // it closes
  }
  const Address peer = transport->peer_address();
  ++connections_total_;
  connections_.insert(new ServerConnection(*this, context_, std::move(transport), peer));
}

void Server::on_refuse(std::unique_ptr<net::Transport>, int) {}

void Server::gone(ServerConnection& connection) {
  if (connections_.erase(&connection) > 0) {
    context_.loop.retire(std::unique_ptr<Retirable>(&connection));
  }
}

void Server::drain(Nanoseconds grace) {
  if (acceptor_ != nullptr) {
    acceptor_->stop();
  }
  for (ServerConnection* connection : connections_) {
    connection->begin_shutdown();
  }
  context_.loop.arm(grace_timer_, grace);
}

void Server::end_all() {
  const auto all = connections_;
  for (ServerConnection* connection : all) {
    if (connections_.contains(connection)) {
      connection->end("the server is going down");
    }
  }
}

}  // namespace remora::grpc
