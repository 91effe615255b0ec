// bench_backend: a cheap HTTP/1.1 keep-alive server. `GET /SIZE` gets SIZE bytes; `GET /SIZE/MS` gets them MS
// milliseconds later, which holds a connection in flight; any other path gets --size bytes. Reads and drops request
// bodies; answers pipelined requests in one write. One thread.
#include <memory>
#include <queue>

#include "bench/load/tools.h"

namespace remora::bench {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;

struct Connection {
  int fd = -1;
  std::uint64_t serial = 0;
  std::string partial;  // an incomplete head
  std::string unsent;
  std::uint64_t body_left = 0;
  bool chunked = false;
  ChunkSkipper chunks;
  bool body_open = false;   // a request's body is being dropped; its answer goes out at its end
  std::string_view answer;  // of that request
  int delay_ms = 0;
  bool closed = false;
};

// An answer that waits for its time.
struct Later {
  std::int64_t due;
  Connection* connection;
  std::uint64_t serial;
  std::string_view answer;
  bool operator<(const Later& other) const { return due > other.due; }
};

class Backend {
 public:
  Backend(int port, std::size_t default_size) : default_size_(default_size), listener_(listen_on(port)) {
    watch_listener(epoll_, listener_);
  }

  [[noreturn]] void run() {
    epoll_event events[256];
    for (;;) {
      const int count = epoll_wait(epoll_, events, 256, timeout());
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[i].data.ptr);
        if (connection == nullptr) {
          accept_all();
        } else if (!connection->closed) {
          on_event(*connection, events[i].events);
        }
      }
      send_due();
      for (Connection* connection : retired_) {
        free_.push_back(connection);  // never freed: a Later may name it, and tells by its serial that it is another
      }
      retired_.clear();
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        return;
      }
      no_delay(fd);
      if (free_.empty()) {
        all_.push_back(std::make_unique<Connection>());
        free_.push_back(all_.back().get());
      }
      Connection* connection = free_.back();
      free_.pop_back();
      *connection = Connection{};
      connection->fd = fd;
      connection->serial = ++serial_;
      watch(epoll_, fd, connection);
    }
  }

  void on_event(Connection& connection, std::uint32_t what) {
    if ((what & EPOLLOUT) != 0 && !connection.unsent.empty() && !flush(connection)) {
      retire(connection);
      return;
    }
    const bool ending = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    for (;;) {
      const ssize_t got = read(connection.fd, buffer_, kBuffer);
      if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
          retire(connection);
        }
        return;
      }
      if (!on_bytes(connection, {buffer_, static_cast<std::size_t>(got)})) {
        retire(connection);
        return;
      }
      if (static_cast<std::size_t>(got) < kBuffer && !ending) {
        return;
      }
    }
  }

  bool on_bytes(Connection& connection, std::string_view text) {
    std::string joined;
    if (!connection.partial.empty()) {
      joined = std::move(connection.partial);
      joined.append(text);
      connection.partial.clear();
      text = joined;
    }
    ready_ = {};
    batch_.clear();
    while (!text.empty()) {
      if (connection.body_open) {
        text.remove_prefix(drop_body(connection, text));
        continue;
      }
      const auto* end = static_cast<const char*>(memmem(text.data(), text.size(), "\r\n\r\n", 4));
      if (end == nullptr) {
        connection.partial.assign(text);
        break;
      }
      const std::size_t size = static_cast<std::size_t>(end - text.data()) + 4;
      on_head(connection, text.substr(0, size));
      text.remove_prefix(size);
    }
    const std::string_view out = batch_.empty() ? ready_ : batch_;
    return out.empty() || send(connection, out);
  }

  void on_head(Connection& connection, std::string_view head) {
    choose_answer(connection, head);
    if (head[0] != 'G') {  // our own load sends no body with a GET
      const Framing framing = framing_of(head);
      connection.chunked = framing.chunked;
      connection.body_left = framing.length;
      if (framing.chunked || framing.length > 0) {
        connection.chunks = {};
        connection.body_open = true;
        return;
      }
    }
    reply(connection);
  }

  std::size_t drop_body(Connection& connection, std::string_view text) {
    std::size_t used = 0;
    if (connection.chunked) {
      used = connection.chunks.skip(text);
      connection.body_open = !connection.chunks.done();
    } else {
      used = std::min<std::uint64_t>(connection.body_left, text.size());
      connection.body_left -= used;
      connection.body_open = connection.body_left > 0;
    }
    if (!connection.body_open) {
      reply(connection);
    }
    return used;
  }

  void choose_answer(Connection& connection, std::string_view head) {
    const std::size_t slash = head.find('/');
    std::size_t size = default_size_;
    connection.delay_ms = 0;
    if (slash != std::string_view::npos) {
      const char* end = head.data() + head.size();
      std::size_t number = 0;
      const auto parsed = std::from_chars(head.data() + slash + 1, end, number);
      if (parsed.ec == std::errc{}) {
        size = number;
        if (*parsed.ptr == '/') {
          std::from_chars(parsed.ptr + 1, end, connection.delay_ms);
        }
      }
    }
    connection.answer = answer_of(size);
  }

  std::string_view answer_of(std::size_t size) {
    if (size != last_size_ || last_answer_.empty()) {
      std::string& answer = answers_[size];
      if (answer.empty()) {
        answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: " + std::to_string(size) + "\r\n\r\n" +
                 std::string(size, 'x');
      }
      last_size_ = size;
      last_answer_ = answer;
    }
    return last_answer_;
  }

  void reply(Connection& connection) {
    if (connection.delay_ms > 0) {
      later_.push({now_ns() + connection.delay_ms * 1'000'000LL, &connection, connection.serial, connection.answer});
    } else if (ready_.empty()) {
      ready_ = connection.answer;
    } else {
      if (batch_.empty()) {
        batch_.assign(ready_);
      }
      batch_.append(connection.answer);
    }
  }

  void send_due() {
    while (!later_.empty() && later_.top().due <= now_ns()) {
      const Later later = later_.top();
      later_.pop();
      if (!later.connection->closed && later.connection->serial == later.serial &&
          !send(*later.connection, later.answer)) {
        retire(*later.connection);
      }
    }
  }

  int timeout() const {
    if (later_.empty()) {
      return -1;
    }
    const std::int64_t left = later_.top().due - now_ns();
    return left <= 0 ? 0 : static_cast<int>(left / 1'000'000 + 1);
  }

  static bool send(Connection& connection, std::string_view text) {
    if (!connection.unsent.empty()) {
      connection.unsent.append(text);
      return true;
    }
    const ssize_t sent = write(connection.fd, text.data(), text.size());
    if (sent < 0 && errno != EAGAIN) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    connection.unsent.assign(text);
    return true;
  }

  static bool flush(Connection& connection) {
    const ssize_t sent = write(connection.fd, connection.unsent.data(), connection.unsent.size());
    if (sent > 0) {
      connection.unsent.erase(0, static_cast<std::size_t>(sent));
    }
    return sent >= 0 || errno == EAGAIN;
  }

  void retire(Connection& connection) {
    connection.closed = true;
    close(connection.fd);
    retired_.push_back(&connection);
  }

  std::size_t default_size_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_;
  std::uint64_t serial_ = 0;
  std::vector<std::unique_ptr<Connection>> all_;
  std::vector<Connection*> free_;
  std::vector<Connection*> retired_;
  std::priority_queue<Later> later_;
  std::map<std::size_t, std::string> answers_;
  std::size_t last_size_ = 0;
  std::string_view last_answer_;
  std::string_view ready_;  // the only answer of this read
  std::string batch_;       // or all of them, when it held several requests
  char buffer_[kBuffer];
};

}  // namespace
}  // namespace remora::bench

int main(int argc, char** argv) {
  using namespace remora::bench;
  const Flags flags(argc, argv, {{"--port", "listen here, on loopback"}, {"--size", "bytes of an answer (128)"}});
  start_process();
  auto backend = std::make_unique<Backend>(static_cast<int>(flags.number("--port", 10001)),
                                           static_cast<std::size_t>(flags.number("--size", 128)));
  backend->run();
}
