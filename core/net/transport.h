// Transport: one connected (or connecting) byte stream, without buffers of its own. Implementations: SocketTransport
// (plain), TLS to come, and tests/sim. Owned by a Connection; the loop's thread.
// Readiness is edge-triggered: after `ready`, the owner reads until would_block or a short read, and writes until
// would_block; otherwise no further event comes.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/base/address.h"

namespace remora::net {

struct IoResult {
  enum class Kind : std::uint8_t { ok, would_block, end, error };
  Kind kind = Kind::ok;
  std::size_t bytes = 0;
  int error = 0;  // errno, when kind is error
};

// Bits of readiness.
constexpr unsigned kReadable = 1;
constexpr unsigned kWritable = 2;
constexpr unsigned kPeerClosed = 4;  // the peer sent FIN or RST: read on until `end` even after a short read

class TransportEvents {
 public:
  virtual void on_transport_ready(unsigned ready) = 0;

 protected:
  ~TransportEvents() = default;
};

class Transport {
 public:
  virtual ~Transport() = default;  // closes

  // REQUIRES: called once, before anything else. `events` outlives the transport. No callback comes from inside a call.
  virtual void start(TransportEvents& events) = 0;

  virtual IoResult read(std::span<char> into) = 0;
  virtual IoResult write(std::span<const iovec> from) = 0;
  virtual void shutdown_write() = 0;
  // Closes at once, by RST when `reset`.
  virtual void close(bool reset) = 0;

  // After the first kWritable of a connecting transport: 0, or the errno that connecting ended with.
  virtual int connect_error() = 0;
  // More about a failure than its errno says; empty: there is no more.
  virtual std::string_view failure_words() const { return {}; }

  virtual Address local_address() const = 0;
  virtual Address peer_address() const = 0;
};

}  // namespace remora::net
