// SocketTransport: a Transport on a non-blocking socket, one persistent edge-triggered libevent event for its whole
// life: no epoll_ctl per request. SocketNetwork makes them. The loop's thread.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include "core/event/libevent_loop.h"
#include "core/net/network.h"
#include "core/net/transport.h"

namespace remora::net {

class SocketTransport final : public Transport {
 public:
  // Owns `fd`.
  SocketTransport(LibeventLoop& loop, int fd) : loop_(loop), fd_(fd) {}
  ~SocketTransport() override;

  void start(TransportEvents& events) override;
  IoResult read(std::span<char> into) override;
  IoResult write(std::span<const iovec> from) override;
  void shutdown_write() override;
  void close(bool reset) override;
  int connect_error() override;
  Address local_address() const override;
  Address peer_address() const override;

 private:
  static void on_event(int fd, short what, void* self);

  LibeventLoop& loop_;
  int fd_;
  TransportEvents* events_ = nullptr;
  struct event event_{};
};

class SocketNetwork final : public Network {
 public:
  explicit SocketNetwork(LibeventLoop& loop);
  ~SocketNetwork() override;

  Address own_address() override;
  std::expected<std::unique_ptr<Transport>, int> connect(const Address& to, const ConnectOptions& options) override;
  Result<std::unique_ptr<Acceptor>> listen(const Address& at, const ListenOptions& options,
                                           AcceptEvents& events) override;

 private:
  friend class SocketAcceptor;
  LibeventLoop& loop_;
  int spare_fd_;  // given up to accept, and refuse, when there is no other
};

// Does somebody listen on `at` already? To be asked before our own sockets are open: these share their port by
// SO_REUSEPORT, with which the kernel would let a second process of the same user take half of the connections.
bool somebody_listens(const Address& at);

}  // namespace remora::net
