// Server: accepts HTTP/2 connections (prior knowledge) and hands each gRPC call to the handler of its path. Owned by
// its user; the loop's thread. Source: grpc/doc/PROTOCOL-HTTP2.md, RFC 9113.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/grpc/stream.h"
#include "core/net/connection.h"
#include "core/net/network.h"

namespace remora::grpc {

struct ServerOptions {
  std::size_t max_message_bytes = std::size_t{4} << 20;  // gRPC's default; longer: resource_exhausted
  std::uint32_t max_streams = 100;                       // of one connection
  std::size_t max_connections = 20'000;                  // more are closed as they come
  // A connection on which nothing comes for this long gets a PING, and is closed when it is not answered in
  // `ping_timeout`; 0: never.
  Nanoseconds ping_interval = Seconds(60);
  Nanoseconds ping_timeout = Seconds(20);
  // From accept to the client's preface and SETTINGS.
  Nanoseconds handshake_timeout = Seconds(10);
};

// What opened a stream; valid during the handler's call.
struct Call {
  std::string_view path;     // "/package.Service/Method"
  const Metadata& metadata;  // without pseudo-headers and what gRPC itself uses; "-bin" values are decoded
  std::string_view authority;
  const Address& peer;
  std::optional<Nanoseconds> timeout;  // the server closes the stream with deadline_exceeded by itself
};

// Takes a call: keeps `stream` and answers who hears of it. Null refuses: `stream` dies, after `finish` with a status
// when the handler called it, else as unimplemented.
using Handler = std::function<StreamEvents*(const Call& call, std::unique_ptr<Stream> stream)>;

class ServerConnection;

class Server final : net::AcceptEvents {
 public:
  // `context` and `network` outlive it (`context` is copied; what it refers to is not).
  Server(const net::ConnectionContext& context, net::Network& network, ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Closes all connections at once; their streams hear nothing more.
  ~Server();

  // REQUIRES: before `listen`.
  void handle(std::string path, Handler handler);
  Result<void> listen(const Address& at);
  Address address() const;  // with the port that the system chose

  // No more connections and, by GOAWAY, no more streams; those that are open go on until they end or `grace` is over.
  void drain(Nanoseconds grace);

  std::size_t connections() const { return connections_.size(); }
  std::uint64_t connections_total() const { return connections_total_; }

 private:
  friend class ServerConnection;
  void on_accept(std::unique_ptr<net::Transport> transport) override;
  void on_refuse(std::unique_ptr<net::Transport> transport, int error) override;
  const Handler* find(std::string_view path) const;
  void gone(ServerConnection& connection);
  void end_all();

  const net::ConnectionContext context_;
  net::Network& network_;
  const ServerOptions options_;
  std::map<std::string, Handler, std::less<>> handlers_;
  std::unique_ptr<net::Acceptor> acceptor_;
  std::unordered_set<ServerConnection*> connections_;  // owned; each leaves by `gone`
  std::uint64_t connections_total_ = 0;
  Timer grace_timer_;
};

}  // namespace remora::grpc
