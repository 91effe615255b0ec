// Channel: a gRPC client's way to one address: one HTTP/2 connection (prior knowledge), made when the first stream
// needs it and again when one is opened after it was lost. A stream never reconnects by itself: it closes with
// `unavailable` and the cause, and its user opens another, here or at the next address. Owned by its user; the loop's
// thread. Source: grpc/doc/PROTOCOL-HTTP2.md, RFC 9113; keepalive after gRFC A8.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/event/loop.h"
#include "core/grpc/stream.h"
#include "core/net/connection.h"
#include "core/net/network.h"

namespace remora::grpc {

struct ChannelOptions {
  Nanoseconds connect_timeout = Seconds(5);
  // HTTP/2 PINGs while streams are open; 0: none. gRPC servers hang up on clients that ping more often than they allow
  // (every 5 minutes by default): then the channel doubles its interval, as gRFC A8 says.
  Nanoseconds ping_interval{0};
  Nanoseconds ping_timeout = Seconds(20);  // no answer in this time: the connection is lost
  // A longer message closes its stream with resource_exhausted. gRPC's own default is 4 MiB, which a large mesh's first
  // discovery response passes; Envoy has no limit.
  std::size_t max_message_bytes = std::size_t{64} << 20;
  std::string authority = {};  // empty: the address
  std::string user_agent = "remora-grpc";
  // A dead peer is noticed even without PINGs: after 30 s + 3 * 10 s.
  net::ConnectOptions connect = {
      .source = {}, .keepalive_probes = 3, .keepalive_time_s = 30, .keepalive_interval_s = 10, .keepalive = true};
};

class ClientConnection;

class Channel {
 public:
  // `context` and `network` outlive it (`context` is copied; what it refers to is not).
  Channel(const net::ConnectionContext& context, net::Network& network, const Address& to, ChannelOptions options = {});
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  // Closes the connection; streams that are still open hear nothing more. May happen inside a callback of one of them.
  ~Channel();

  // `path`: "/package.Service/Method". Metadata values are text; a name that ends in "-bin" has its value encoded here.
  // Messages may be sent at once: they wait for the connection. `timeout`: sent as grpc-timeout, and kept here too.
  [[nodiscard]] std::unique_ptr<Stream> open(std::string_view path, const Metadata& metadata, StreamEvents& events,
                                             std::optional<Nanoseconds> timeout = {});

  bool connected() const;
  const Address& address() const { return to_; }

 private:
  void make_way();
  void drop(std::unique_ptr<ClientConnection> connection);

  const net::ConnectionContext context_;
  net::Network& network_;
  const Address to_;
  ChannelOptions options_;
  std::unique_ptr<ClientConnection> connection_;
  std::vector<std::unique_ptr<ClientConnection>> old_;  // they take no new streams, but have some
};

}  // namespace remora::grpc
