// What the three load tools share: sockets on loopback, command-line flags, skipping of a chunked body. Header only,
// libc only. Each tool is one thread, and exits on what it cannot handle: a benchmark that limps measures nothing.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace remora::bench {

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s%s%s\n", what.c_str(), errno != 0 ? ": " : "", errno != 0 ? std::strerror(errno) : "");
  std::exit(1);
}

inline std::int64_t now_ns() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1'000'000'000LL + ts.tv_nsec;
}

// "--name value" pairs; a name may repeat. Names outside `known` end the program with the list.
class Flags {
 public:
  Flags(int argc, char** argv, std::map<std::string, std::string> known) : known_(std::move(known)) {
    for (int i = 1; i < argc; i += 2) {
      const std::string name = argv[i];
      if (known_.count(name) == 0 || i + 1 == argc) {
        usage(argv[0]);
      }
      values_[name].emplace_back(argv[i + 1]);
    }
  }

  std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second.back();
  }
  double number(const std::string& name, double otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : std::strtod(found->second.back().c_str(), nullptr);
  }
  std::vector<std::string> all(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>{} : found->second;
  }

 private:
  [[noreturn]] void usage(const char* program) const {
    std::fprintf(stderr, "usage: %s [--flag value]...\n", program);
    for (const auto& [name, help] : known_) {
      std::fprintf(stderr, "  %-14s %s\n", name.c_str(), help.c_str());
    }
    std::exit(2);
  }

  std::map<std::string, std::string> known_;
  std::map<std::string, std::vector<std::string>> values_;
};

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void make_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

inline void no_delay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

inline int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const sockaddr_in address = loopback(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0) {
    die("cannot listen on port " + std::to_string(port));
  }
  return fd;
}

// Connects while blocking (loopback answers at once), then leaves the socket non-blocking. -1 on failure.
inline int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    return -1;
  }
  make_nonblocking(fd);
  no_delay(fd);
  return fd;
}

// Registers once, edge-triggered, for everything: no epoll_ctl a request.
inline void watch(int epoll, int fd, void* data) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = data;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    die("epoll_ctl");
  }
}

inline void watch_listener(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    die("epoll_ctl");
  }
}

inline void start_process() {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Framing headers of one head, found line by line; text up to and including the empty line.
struct Framing {
  std::uint64_t length = 0;
  bool has_length = false;
  bool chunked = false;
  bool close = false;
};

inline Framing framing_of(std::string_view head) {
  Framing framing;
  std::size_t at = head.find('\n');
  while (at != std::string_view::npos && at + 1 < head.size()) {
    const char* line = head.data() + at + 1;
    const std::size_t left = head.size() - at - 1;
    const char first = static_cast<char>(*line | 0x20);
    if (first == 'c' && left > 15 && strncasecmp(line, "content-length:", 15) == 0) {
      const char* digit = line + 15;
      while (*digit == ' ') {
        ++digit;
      }
      std::from_chars(digit, head.data() + head.size(), framing.length);
      framing.has_length = true;
    } else if (first == 'c' && left > 17 && strncasecmp(line, "connection: close", 17) == 0) {
      framing.close = true;
    } else if (first == 't' && left > 26 && strncasecmp(line, "transfer-encoding: chunked", 26) == 0) {
      framing.chunked = true;
    }
    at = head.find('\n', at + 1);
  }
  return framing;
}

// Skips a chunked body, byte by byte in its framing and chunk by chunk in its data.
class ChunkSkipper {
 public:
  // Bytes of `text` that belong to the body; done() tells whether it ended there.
  std::size_t skip(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && state_ != State::done) {
      if (state_ == State::data) {
        const std::size_t step = std::min<std::uint64_t>(left_, text.size() - at);
        at += step;
        left_ -= step;
        if (left_ == 0) {
          state_ = State::data_end;
        }
        continue;
      }
      on_framing(text[at++]);
    }
    return at;
  }
  bool done() const { return state_ == State::done; }

 private:
  enum class State { size, extension, data, data_end, trailer, done };

  void on_framing(char c) {
    switch (state_) {
      case State::size:
        if (const int digit = hex(c); digit >= 0) {
          left_ = left_ * 16 + static_cast<unsigned>(digit);
          break;
        }
        [[fallthrough]];
      case State::extension:
        state_ = State::extension;
        if (c == '\n') {
          state_ = left_ == 0 ? State::trailer : State::data;
          line_ = 0;
        }
        break;
      case State::data_end:
        if (c == '\n') {
          state_ = State::size;
        }
        break;
      case State::trailer:
        if (c != '\n') {
          line_ += c != '\r';
        } else if (line_ == 0) {
          state_ = State::done;
        } else {
          line_ = 0;
        }
        break;
      default:
        break;
    }
  }
  static int hex(char c) {
    if (c >= '0' && c <= '9') {
      return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  }

  State state_ = State::size;
  std::uint64_t left_ = 0;
  std::size_t line_ = 0;
};

}  // namespace remora::bench
