#include "core/net/socket_transport.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace remora::net {
namespace {

void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof(value)); }

IoResult io_error(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) {
    return {IoResult::Kind::would_block, 0, 0};
  }
  return {IoResult::Kind::error, 0, error};
}

Address address_of(int fd, int (*get)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (get(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return {};
  }
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), length);
}

}  // namespace

SocketTransport::~SocketTransport() { close(false); }

void SocketTransport::start(TransportEvents& events) {
  events_ = &events;
  event_assign(&event_, loop_.base(), fd_, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
               &SocketTransport::on_event, this);
  event_add(&event_, nullptr);
}

void SocketTransport::on_event(int, short what, void* self) {
  auto* transport = static_cast<SocketTransport*>(self);
  transport->loop_.enter_turn();
  unsigned ready = 0;
  if ((what & EV_READ) != 0) {
    ready |= kReadable;
  }
  if ((what & EV_WRITE) != 0) {
    ready |= kWritable;
  }
  if ((what & EV_CLOSED) != 0) {
    ready |= kReadable | kPeerClosed;
  }
  transport->events_->on_transport_ready(ready);
}

IoResult SocketTransport::read(std::span<char> into) {
  const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
  if (got > 0) {
    return {IoResult::Kind::ok, static_cast<std::size_t>(got), 0};
  }
  if (got == 0) {
    return {IoResult::Kind::end, 0, 0};
  }
  return io_error(errno);
}

IoResult SocketTransport::write(std::span<const iovec> from) {
  ssize_t put = 0;
  if (from.size() == 1) {
    put = ::send(fd_, from[0].iov_base, from[0].iov_len, MSG_NOSIGNAL);
  } else {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    put = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
  }
  if (put >= 0) {
    return {IoResult::Kind::ok, static_cast<std::size_t>(put), 0};
  }
  return io_error(errno);
}

void SocketTransport::shutdown_write() { ::shutdown(fd_, SHUT_WR); }

void SocketTransport::close(bool reset) {
  if (fd_ < 0) {
    return;
  }
  if (events_ != nullptr) {
    event_del(&event_);
  }
  if (reset) {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  }
  ::close(fd_);
  fd_ = -1;
}

int SocketTransport::connect_error() {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
    return errno;
  }
  return error;
}

Address SocketTransport::local_address() const { return address_of(fd_, &getsockname); }
Address SocketTransport::peer_address() const { return address_of(fd_, &getpeername); }

class SocketAcceptor final : public Acceptor {
 public:
  SocketAcceptor(SocketNetwork& network, int fd, AcceptEvents& events) : network_(network), fd_(fd), events_(events) {
    event_assign(&event_, network_.loop_.base(), fd_, EV_READ | EV_PERSIST, &SocketAcceptor::on_event, this);
    event_add(&event_, nullptr);
    address_ = address_of(fd_, &getsockname);
  }
  ~SocketAcceptor() override { close_socket(); }

  Address address() const override { return address_; }

  void stop() override {
    if (fd_ >= 0) {
      network_.loop_.enter_turn();
      for (int i = 0; i < kLastAccepts && accept_one(); ++i) {
      }
      close_socket();
    }
  }

 private:
  // Few at a time, so that a flood of new connections cannot starve those that exist.
  static constexpr int kAcceptsPerEvent = 16;
  static constexpr int kLastAccepts = 4096;

  void close_socket() {
    if (fd_ >= 0) {
      event_del(&event_);
      ::close(fd_);
      fd_ = -1;
    }
  }

  static void on_event(int, short, void* self) {
    auto* acceptor = static_cast<SocketAcceptor*>(self);
    acceptor->network_.loop_.enter_turn();
    for (int i = 0; i < kAcceptsPerEvent && acceptor->fd_ >= 0; ++i) {
      if (!acceptor->accept_one()) {
        return;
      }
    }
  }

  bool accept_one() {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      if (address_.is_ip()) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
      }
      events_.on_accept(std::make_unique<SocketTransport>(network_.loop_, fd));
      return true;
    }
    if (errno == EMFILE || errno == ENFILE) {
      return refuse_one(errno);
    }
    return errno == ECONNABORTED || errno == EINTR;
  }

  // The spare descriptor makes room to take the connection and say no; left in the backlog, it would only hang.
  bool refuse_one(int error) {
    if (network_.spare_fd_ < 0) {
      return false;
    }
    ::close(std::exchange(network_.spare_fd_, -1));
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      events_.on_refuse(std::make_unique<SocketTransport>(network_.loop_, fd), error);
    }
    network_.spare_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
  }

  SocketNetwork& network_;
  int fd_;
  AcceptEvents& events_;
  Address address_;
  struct event event_{};
};

SocketNetwork::SocketNetwork(LibeventLoop& loop) : loop_(loop), spare_fd_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

SocketNetwork::~SocketNetwork() {
  if (spare_fd_ >= 0) {
    ::close(spare_fd_);
  }
}

Address SocketNetwork::own_address() {
  Address found = *Address::parse("127.0.0.1", 0);
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) {
    return found;
  }
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET && (one->ifa_flags & IFF_LOOPBACK) == 0) {
      found = Address::from_sockaddr(one->ifa_addr, sizeof(sockaddr_in));
      break;
    }
  }
  freeifaddrs(all);
  return found;
}

std::expected<std::unique_ptr<Transport>, int> SocketNetwork::connect(const Address& to,
                                                                      const ConnectOptions& options) {
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return std::unexpected(errno);
  }
  auto transport = std::make_unique<SocketTransport>(loop_, fd);
  if (to.is_ip()) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options.keepalive) {
      set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
      if (options.keepalive_probes > 0) {
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(options.keepalive_probes));
      }
      if (options.keepalive_time_s > 0) {
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options.keepalive_time_s));
      }
      if (options.keepalive_interval_s > 0) {
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(options.keepalive_interval_s));
      }
    }
  }
  if (options.source) {
    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (::bind(fd, options.source->data(), options.source->size()) != 0) {
      return std::unexpected(errno);
    }
  }
  if (::connect(fd, to.data(), to.size()) != 0 && errno != EINPROGRESS) {
    return std::unexpected(errno);
  }
  return transport;
}

bool somebody_listens(const Address& at) {
  const int fd = ::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return false;
  }
  bool taken = false;
  if (!at.is_ip()) {
    // The path of a Unix socket is taken over when we listen: asking is the only way to know.
    taken = ::connect(fd, at.data(), at.size()) == 0 || errno == EAGAIN;
  } else if (at.port() != 0) {
    // Without SO_REUSEPORT a bind fails beside any listening socket; SO_REUSEADDR forgives what only lingers.
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (at.family() == AF_INET6) {
      set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    taken = ::bind(fd, at.data(), at.size()) != 0 && errno == EADDRINUSE;
  }
  ::close(fd);
  return taken;
}

Result<std::unique_ptr<Acceptor>> SocketNetwork::listen(const Address& at, const ListenOptions& options,
                                                        AcceptEvents& events) {
  const int fd = ::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fail(fmt::format("socket: {}", std::strerror(errno)));
  }
  if (at.is_ip()) {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port) {
      set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (at.family() == AF_INET6) {
      set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
  } else if (at.ip().front() != '@') {
    ::unlink(at.ip().c_str());
  }
  if (::bind(fd, at.data(), at.size()) != 0 || ::listen(fd, static_cast<int>(options.backlog)) != 0) {
    const int error = errno;
    ::close(fd);
    return fail(fmt::format("cannot listen on {}: {}", at.to_string(), std::strerror(error)));
  }
  return std::make_unique<SocketAcceptor>(*this, fd, events);
}

}  // namespace remora::net
