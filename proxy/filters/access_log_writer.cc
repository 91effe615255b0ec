#include <poll.h>
#include <pthread.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <system_error>

#include "proxy/filters/access_log.h"

namespace remora::proxy {
namespace {

// How long lines may lie in a ring while requests keep coming.
constexpr int kBusyMilliseconds = 50;

int make_event_fd() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    throw std::system_error(errno, std::generic_category(), "eventfd for the access log");
  }
  return fd;
}

}  // namespace

AccessLogWriter::AccessLogWriter(Report report) : report_(report), event_fd_(make_event_fd()) {}

AccessLogWriter::~AccessLogWriter() {
  stop_.store(true);
  wake();
  if (thread_.joinable()) {
    thread_.join();
  }
  ::close(event_fd_);
}

AccessLogQueue& AccessLogWriter::add_worker(metrics::WorkerMetrics& metrics, std::size_t capacity) {
  std::unique_ptr<AccessLogQueue> queue(new AccessLogQueue(*this, metrics, capacity));
  AccessLogQueue& result = *queue;
  {
    const std::lock_guard lock(mutex_);
    queues_.push_back(std::move(queue));
  }
  if (!thread_.joinable()) {
    sigset_t all;  // signals are for main
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "access-log");
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  return result;
}

void AccessLogWriter::reopen() {
  reopen_.store(true);
  wake();
}

void AccessLogWriter::flush() {
  if (!thread_.joinable()) {
    return;
  }
  const std::uint64_t mine = flush_wanted_.fetch_add(1) + 1;
  wake();
  for (std::uint64_t done = flush_done_.load(); done < mine; done = flush_done_.load()) {
    flush_done_.wait(done);
  }
}

// By a worker. The push before it and the load here are sequentially consistent, as are the writer's store of asleep_
// and its look at the ring after that: so either the writer sees the record, or the worker sees it asleep.
void AccessLogWriter::after_push(const LogRing& ring) {
  if (asleep_.load(std::memory_order_seq_cst)) {
    if (asleep_.exchange(false)) {
      wake();
    }
  } else if (ring.used() > ring.capacity() / 2 && !hurried_.load(std::memory_order_relaxed)) {
    hurried_.store(true, std::memory_order_relaxed);
    wake();
  }
}

void AccessLogWriter::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_fd_, &one, sizeof(one));  // full means awake already
}

// Between rounds a busy writer sleeps a little, so that lines gather into few writes; an idle one sleeps for good.
void AccessLogWriter::wait(bool busy) {
  if (!busy) {
    asleep_.store(true, std::memory_order_seq_cst);
    if (drain() || stop_.load() || reopen_.load() || flush_wanted_.load() != flush_done_.load()) {
      asleep_.store(false);
      return;
    }
  }
  pollfd event{event_fd_, POLLIN, 0};
  ::poll(&event, 1, busy ? kBusyMilliseconds : -1);
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(event_fd_, &count, sizeof(count));
  asleep_.store(false);
  hurried_.store(false, std::memory_order_relaxed);
}

void AccessLogWriter::run() {
  while (true) {
    const bool stopping = stop_.load();
    const std::uint64_t flushing = flush_wanted_.load();
    if (reopen_.exchange(false)) {
      for (auto& [path, sink] : sinks_) {
        sink.sink.reset();
        sink.failed = false;
      }
    }
    const bool busy = drain();
    for (auto& [path, sink] : sinks_) {
      if (!sink.pending.empty()) {
        write(path, sink);
      }
    }
    if (flush_done_.load() != flushing) {
      flush_done_.store(flushing);
      flush_done_.notify_all();
    }
    if (stopping) {
      return;
    }
    wait(busy);
  }
}

bool AccessLogWriter::drain() {
  const std::lock_guard lock(mutex_);
  std::size_t lines = 0;
  for (const auto& queue : queues_) {
    lines += queue->ring_.drain([this](std::string_view path, std::string_view line) {
      key_.assign(path);
      sinks_[key_].pending.append(line);
    });
  }
  return lines > 0;
}

void AccessLogWriter::open(const std::string& path, Sink& sink) {
  if (path == "/dev/stdout") {
    sink.sink = std::make_shared<spdlog::sinks::stdout_sink_st>();
  } else if (path == "/dev/stderr") {
    sink.sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
  } else {
    sink.sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(path);
  }
  sink.sink->set_formatter(
      std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, std::string()));
}

// All lines that a round gathered for one file, in one go.
void AccessLogWriter::write(const std::string& path, Sink& sink) {
  try {
    if (sink.sink == nullptr) {
      open(path, sink);
    }
    sink.sink->log(spdlog::details::log_msg(spdlog::string_view_t(), spdlog::level::info, sink.pending));
    sink.sink->flush();
    sink.failed = false;
  } catch (const std::exception& error) {
    fail(path, sink, error.what());
  }
  sink.pending.clear();
  if (sink.pending.capacity() > 4 * kRingBytes) {
    sink.pending.shrink_to_fit();
  }
}

void AccessLogWriter::fail(const std::string& path, Sink& sink, const char* what) {
  sink.sink.reset();
  if (!sink.failed && report_ != nullptr) {
    report_("access log " + path + ": " + what + "; its lines are lost until it can be opened again");
  }
  sink.failed = true;
}

}  // namespace remora::proxy
