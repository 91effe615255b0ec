// bench_load: HTTP/1.1 load over N keep-alive connections, in one thread. Without --rate each connection asks again as
// soon as it is answered (closed loop: saturates). With --rate requests have intended times at equal steps, whatever
// the answers do, and latency counts from the intended time: a proxy that stalls is charged for all who had to wait (no
// coordinated omission). Prints one JSON object.
#include <sys/prctl.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "bench/load/load_report.h"
#include "bench/load/tools.h"

namespace remora::bench {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;
constexpr std::int64_t kStuckAfter = 10'000'000'000;

struct Options {
  int port = 0;
  int connections = 1;
  double duration = 2;
  double warmup = 0.3;
  std::uint64_t requests = 0;  // 0: until `duration` is over
  double rate = 0;             // 0: closed loop
  std::string request;
  std::vector<std::string> pids;
};

struct Connection {
  int fd = -1;
  bool busy = false;
  bool measured = false;  // the request began in the measured window
  std::size_t sent = 0;   // of the request
  std::int64_t intended = 0;
  std::int64_t began = 0;
  std::string partial;  // an incomplete head
  bool in_body = false;
  bool chunked = false;
  bool close_after = false;
  int status = 0;
  std::uint64_t body_left = 0;
  ChunkSkipper chunks;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), connections_(options_.connections) {}

  void run() {
    prctl(PR_SET_TIMERSLACK, 1);
    for (Connection& connection : connections_) {
      if (!open(connection)) {
        die("cannot connect to port " + std::to_string(options_.port));
      }
    }
    start_ = now_ns();
    measure_from_ = start_ + static_cast<std::int64_t>(options_.warmup * 1e9);
    stop_at_ =
        options_.requests > 0 ? INT64_MAX / 2 : measure_from_ + static_cast<std::int64_t>(options_.duration * 1e9);
    last_progress_ = start_;
    if (options_.rate == 0) {
      for (Connection& connection : connections_) {
        begin(connection, now_ns());
      }
    }
    while (!finished()) {
      turn();
    }
    stop_watch();
    print();
  }

 private:
  // ---- the clock of the run ----
  bool finished() {
    const std::int64_t now = now_ns();
    if (!measuring_ && now >= measure_from_) {
      start_watch(now);
    }
    if (now - last_progress_ > kStuckAfter) {
      ++stuck_;
      return true;
    }
    if (!measuring_) {
      return false;
    }
    if (options_.requests > 0) {
      return completed_ >= options_.requests;
    }
    if (now < stop_at_) {
      return false;
    }
    stopping_ = true;
    return options_.rate == 0 || measured_in_flight_ == 0 || now > stop_at_ + kStuckAfter;
  }

  void start_watch(std::int64_t now) {
    measuring_ = true;
    window_start_ = now;
    cpu_ = cpu_use(options_.pids);
  }

  void stop_watch() {
    window_end_ = now_ns();
    const CpuUse after = cpu_use(options_.pids);
    cpu_ = {after.cpu_ns - cpu_.cpu_ns, after.wait_ns - cpu_.wait_ns, after.slices - cpu_.slices};
    memory_ = memory_use(options_.pids);  // the connections are still open
  }

  void turn() {
    std::int64_t wake = now_ns() + 100'000'000;
    if (!measuring_) {
      wake = std::min(wake, measure_from_);
    } else if (!stopping_) {
      wake = std::min(wake, stop_at_);
    }
    if (options_.rate > 0 && !stopping_) {
      wake = std::min(wake, send_due());
    }
    const std::int64_t left = std::max<std::int64_t>(wake - now_ns(), 0);
    const timespec wait{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
    epoll_event events[256];
    const int count = epoll_pwait2(epoll_, events, 256, &wait, nullptr);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      on_event(*connection, events[i].events);
    }
  }

  // ---- open loop ----
  std::int64_t intended_at(std::uint64_t n) const {
    return start_ + static_cast<std::int64_t>(static_cast<double>(n) * 1e9 / options_.rate);
  }

  // Sends all whose time has come while a connection is free; says when the next is due.
  std::int64_t send_due() {
    for (;;) {
      const std::int64_t due = intended_at(scheduled_);
      if (due > now_ns() || free_.empty()) {
        return free_.empty() ? INT64_MAX : due;
      }
      Connection* connection = free_.front();
      free_.pop_front();
      ++scheduled_;
      begin(*connection, due);
    }
  }

  // ---- one connection ----
  bool open(Connection& connection) {
    connection = Connection{};
    connection.fd = connect_to(options_.port);
    if (connection.fd < 0) {
      return false;
    }
    watch(epoll_, connection.fd, &connection);
    if (options_.rate > 0) {
      free_.push_back(&connection);
    }
    return true;
  }

  void reopen(Connection& connection) {
    close(connection.fd);
    std::erase(free_, &connection);
    measured_in_flight_ -= connection.busy && connection.measured;
    if (!open(connection)) {
      ++connect_errors_;
      if (connect_errors_ > 1000) {
        die("the server is gone");
      }
      return;
    }
    if (options_.rate == 0 && !stopping_) {
      begin(connection, now_ns());
    }
  }

  void begin(Connection& connection, std::int64_t intended) {
    connection.busy = true;
    connection.intended = intended;
    connection.began = options_.rate == 0 ? intended : now_ns();
    connection.measured = options_.rate == 0 || (intended >= measure_from_ && intended < stop_at_);
    measured_in_flight_ += connection.measured;
    connection.sent = 0;
    push(connection);
  }

  void push(Connection& connection) {
    const ssize_t sent =
        write(connection.fd, options_.request.data() + connection.sent, options_.request.size() - connection.sent);
    if (sent > 0) {
      connection.sent += static_cast<std::size_t>(sent);
    }
  }

  void on_event(Connection& connection, std::uint32_t what) {
    if ((what & EPOLLOUT) != 0 && connection.busy && connection.sent < options_.request.size()) {
      push(connection);
    }
    if ((what & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) {
      return;
    }
    const bool ending = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    for (;;) {
      const ssize_t got = read(connection.fd, buffer_, kBuffer);
      if (got < 0 && errno == EAGAIN) {
        return;
      }
      if (got <= 0) {
        read_errors_ += connection.busy && measuring_;
        reopen(connection);
        return;
      }
      if (!on_bytes(connection, {buffer_, static_cast<std::size_t>(got)})) {
        reopen(connection);
        return;
      }
      if (static_cast<std::size_t>(got) < kBuffer && !ending) {
        return;
      }
    }
  }

  // False: the connection cannot be used again.
  bool on_bytes(Connection& connection, std::string_view text) {
    std::string joined;
    if (!connection.partial.empty()) {
      joined = std::move(connection.partial);
      joined.append(text);
      connection.partial.clear();
      text = joined;
    }
    if (!connection.busy) {
      ++read_errors_;  // bytes that nobody asked for
      return false;
    }
    while (!connection.in_body) {
      const auto* end = static_cast<const char*>(memmem(text.data(), text.size(), "\r\n\r\n", 4));
      if (end == nullptr) {
        connection.partial.assign(text);
        return true;
      }
      const std::size_t size = static_cast<std::size_t>(end - text.data()) + 4;
      const bool final = on_head(connection, text.substr(0, size));
      text.remove_prefix(size);
      if (!final && text.empty()) {
        return true;
      }
    }
    return on_body(connection, text);
  }

  // False for an interim response.
  static bool on_head(Connection& connection, std::string_view head) {
    connection.status = head.size() > 12 ? std::atoi(head.data() + 9) : 0;
    if (connection.status / 100 == 1) {
      return false;
    }
    const Framing framing = framing_of(head);
    connection.chunked = framing.chunked;
    connection.body_left = framing.length;
    connection.close_after = framing.close;
    connection.chunks = {};
    connection.in_body = true;
    return true;
  }

  bool on_body(Connection& connection, std::string_view text) {
    std::size_t used = 0;
    bool done = false;
    if (connection.chunked) {
      used = connection.chunks.skip(text);
      done = connection.chunks.done();
    } else {
      used = std::min<std::uint64_t>(connection.body_left, text.size());
      connection.body_left -= used;
      done = connection.body_left == 0;
    }
    if (!done) {
      return true;
    }
    complete(connection);
    if (used < text.size() || connection.close_after || connection.sent < options_.request.size()) {
      return false;
    }
    if (options_.rate == 0) {
      if (!stopping_) {
        begin(connection, now_ns());
      }
    } else {
      free_.push_back(&connection);
    }
    return true;
  }

  void complete(Connection& connection) {
    const std::int64_t now = now_ns();
    last_progress_ = now;
    connection.busy = false;
    connection.in_body = false;
    measured_in_flight_ -= connection.measured;
    if (!measuring_ || !connection.measured) {
      return;
    }
    ++completed_;
    non_2xx_ += connection.status / 100 != 2;
    latency_.record(now - connection.intended);
    service_.record(now - connection.began);
  }

  void print() const {
    LoadReport report;
    report.requests = completed_;
    report.errors = read_errors_ + connect_errors_ + non_2xx_;
    report.non_2xx = non_2xx_;
    report.stuck = stuck_;
    report.seconds = static_cast<double>(window_end_ - window_start_) / 1e9;
    report.cpu = cpu_;
    report.memory = memory_;
    print_report(report, latency_, service_);
  }

  const Options options_;
  std::vector<Connection> connections_;
  std::deque<Connection*> free_;  // open loop: in turn
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);

  std::int64_t start_ = 0;
  std::int64_t measure_from_ = 0;
  std::int64_t stop_at_ = 0;
  std::int64_t window_start_ = 0;
  std::int64_t window_end_ = 0;
  std::int64_t last_progress_ = 0;
  bool measuring_ = false;
  bool stopping_ = false;
  std::uint64_t scheduled_ = 0;
  std::int64_t measured_in_flight_ = 0;

  std::uint64_t completed_ = 0;
  std::uint64_t non_2xx_ = 0;
  std::uint64_t read_errors_ = 0;
  std::uint64_t connect_errors_ = 0;
  int stuck_ = 0;
  Histogram latency_;  // from the intended time
  Histogram service_;  // from the time that it was sent
  CpuUse cpu_;
  MemoryUse memory_;
  char buffer_[kBuffer];
};

std::string make_request(const Flags& flags) {
  const auto body = static_cast<std::size_t>(flags.number("--body", 0));
  std::string text = flags.text("--method", body > 0 ? "POST" : "GET") + " " + flags.text("--path", "/128") +
                     " HTTP/1.1\r\nHost: " + flags.text("--host", "bench.local") +
                     "\r\nUser-Agent: bench_load\r\nAccept: */*\r\n";
  for (const std::string& header : flags.all("--header")) {
    text += header + "\r\n";
  }
  if (body > 0) {
    text += "Content-Length: " + std::to_string(body) + "\r\n";
  }
  return text + "\r\n" + std::string(body, 'y');
}

}  // namespace
}  // namespace remora::bench

int main(int argc, char** argv) {
  using namespace remora::bench;
  const Flags flags(argc, argv,
                    {{"--port", "port on loopback"},
                     {"--connections", "keep-alive connections (1)"},
                     {"--duration", "seconds measured (2)"},
                     {"--warmup", "seconds before that (0.3)"},
                     {"--requests", "measure this many instead of --duration"},
                     {"--rate", "open loop: requests a second (0: closed loop)"},
                     {"--method", "GET, or POST when there is a body"},
                     {"--path", "/SIZE or /SIZE/DELAY_MS of bench_backend (/128)"},
                     {"--host", "Host header (bench.local)"},
                     {"--header", "\"Name: value\", may repeat"},
                     {"--body", "bytes of the request's body (0)"},
                     {"--watch", "pid whose CPU and memory are reported, may repeat"}});
  start_process();
  Options options;
  options.port = static_cast<int>(flags.number("--port", 10000));
  options.connections = static_cast<int>(flags.number("--connections", 1));
  options.duration = flags.number("--duration", 2);
  options.warmup = flags.number("--warmup", 0.3);
  options.requests = static_cast<std::uint64_t>(flags.number("--requests", 0));
  options.rate = flags.number("--rate", 0);
  options.request = make_request(flags);
  options.pids = flags.all("--watch");
  std::make_unique<Load>(std::move(options))->run();
}
