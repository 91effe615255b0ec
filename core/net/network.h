// Network: where transports come from. The production one makes sockets; tests/sim makes pairs in memory.
// Owned by a worker; its thread.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/net/transport.h"

namespace remora::net {

struct ConnectOptions {
  std::optional<Address> source;
  std::uint32_t keepalive_probes = 0, keepalive_time_s = 0, keepalive_interval_s = 0;
  bool keepalive = false;
};

class AcceptEvents {
 public:
  virtual void on_accept(std::unique_ptr<Transport> transport) = 0;
  // Out of descriptors (`error` is the errno): the connection was taken on a spare one, only to be refused politely. It
  // is not to be started or kept: write a last word, if any, and let it die.
  virtual void on_refuse(std::unique_ptr<Transport> transport, int error) = 0;

 protected:
  ~AcceptEvents() = default;
};

// A listening socket. Stops and closes when it dies.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  virtual Address address() const = 0;  // with the port that the system chose, when 0 was asked for
  // Takes those that wait to be accepted, for they are connected as far as they know; then the socket closes.
  virtual void stop() = 0;
};

struct ListenOptions {
  std::uint32_t backlog = 4096;
  bool reuse_port = true;
};

class Network {
 public:
  virtual ~Network() = default;
  // The address by which others know this machine: of its first interface that is no loopback; 127.0.0.1 when all are.
  virtual Address own_address() = 0;
  // Begins to connect. An errno that comes at once (EMFILE, ENETUNREACH, a refused Unix socket) is the error.
  virtual std::expected<std::unique_ptr<Transport>, int> connect(const Address& to, const ConnectOptions& options) = 0;
  virtual Result<std::unique_ptr<Acceptor>> listen(const Address& at, const ListenOptions& options,
                                                   AcceptEvents& events) = 0;
};

}  // namespace remora::net
