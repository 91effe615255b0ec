// bench_relay: the lower limit. Moves bytes between a client connection and an upstream connection of its own, and
// looks at none of them: a small request costs one read and one write each way, and a share of an epoll_wait. One
// thread.
#include <memory>

#include "bench/load/tools.h"

namespace remora::bench {
namespace {

constexpr std::size_t kBuffer = 64 * 1024;

// One end of a pair. `unsent` is what its socket refused to take; while there is any, the other end is not read.
struct Side {
  int fd = -1;
  Side* other = nullptr;
  std::string unsent;
  bool ending = false;  // the peer sent FIN or reset: read until the end, not until the first short read
  bool closed = false;
};

class Relay {
 public:
  Relay(int port, int upstream_port) : listener_(listen_on(port)), upstream_port_(upstream_port) {
    watch_listener(epoll_, listener_);
  }

  [[noreturn]] void run() {
    epoll_event events[256];
    for (;;) {
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        auto* side = static_cast<Side*>(events[i].data.ptr);
        if (side == nullptr) {
          accept_all();
        } else if (!side->closed) {
          on_event(*side, events[i].events);
        }
      }
      retired_.clear();  // only now: later events of the batch may still name a closed side
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        return;
      }
      const int upstream = connect_to(upstream_port_);
      if (upstream < 0) {
        close(fd);
        continue;
      }
      no_delay(fd);
      auto* a = new Side{.fd = fd, .other = nullptr, .unsent = {}};
      auto* b = new Side{.fd = upstream, .other = a, .unsent = {}};
      a->other = b;
      watch(epoll_, fd, a);
      watch(epoll_, upstream, b);
    }
  }

  void on_event(Side& side, std::uint32_t what) {
    side.ending |= (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if ((what & EPOLLOUT) != 0 && !side.unsent.empty()) {
      if (!flush(side)) {
        close_pair(side);
        return;
      }
      if (side.unsent.empty() && !pump(*side.other)) {
        close_pair(side);
        return;
      }
    }
    if ((what & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && !pump(side)) {
      close_pair(side);
    }
  }

  // Reads `from` and writes to its other end until a short read says that there is no more. False: the pair is over.
  bool pump(Side& from) {
    Side& to = *from.other;
    while (to.unsent.empty()) {
      const ssize_t got = read(from.fd, buffer_, kBuffer);
      if (got <= 0) {
        return got < 0 && errno == EAGAIN;
      }
      const ssize_t sent = write(to.fd, buffer_, static_cast<std::size_t>(got));
      if (sent < got) {
        if (sent < 0 && errno != EAGAIN) {
          return false;
        }
        to.unsent.assign(buffer_ + std::max<ssize_t>(sent, 0), buffer_ + got);
        return true;
      }
      if (static_cast<std::size_t>(got) < kBuffer && !from.ending) {
        return true;
      }
    }
    return true;
  }

  static bool flush(Side& to) {
    const ssize_t sent = write(to.fd, to.unsent.data(), to.unsent.size());
    if (sent > 0) {
      to.unsent.erase(0, static_cast<std::size_t>(sent));
    }
    return sent >= 0 || errno == EAGAIN;
  }

  void close_pair(Side& side) {
    for (Side* each : {side.other, &side}) {
      each->closed = true;
      close(each->fd);
      retired_.emplace_back(each);
    }
  }

  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_;
  int upstream_port_;
  std::vector<std::unique_ptr<Side>> retired_;
  char buffer_[kBuffer];
};

}  // namespace
}  // namespace remora::bench

int main(int argc, char** argv) {
  using namespace remora::bench;
  const Flags flags(argc, argv, {{"--port", "listen here, on loopback"}, {"--upstream", "port of the backend"}});
  start_process();
  auto relay = std::make_unique<Relay>(static_cast<int>(flags.number("--port", 10000)),
                                       static_cast<int>(flags.number("--upstream", 10001)));
  relay->run();
}
