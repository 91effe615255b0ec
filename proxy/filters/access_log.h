// Access log: lines formatted by the worker into a ring of its own, written to files by one thread. A ring that is full
// drops the line and counts it: a worker never waits for a disk. AccessLogWriter is owned by main and outlives the
// workers; AccessLogQueue is written by its worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/random.h"
#include "metrics/registry.h"
#include "proxy/exchange/request_info.h"
#include "proxy/model/listener.h"

namespace spdlog::sinks {
class sink;
}

namespace remora::proxy {

// Bytes of records from one thread to another, in order. push: the worker; the rest: the writer's thread.
class LogRing {
 public:
  explicit LogRing(std::size_t capacity);  // a power of two

  // False when there is no room (and never will be, if the record is larger than half the ring).
  bool push(std::string_view path, std::string_view line);
  std::size_t used() const;  // bytes; any thread

  // visit(path, line) for each record that is there now; returns how many.
  template <typename Visit>
  std::size_t drain(Visit&& visit) {
    std::size_t count = 0;
    std::uint64_t at = tail_.load(std::memory_order_relaxed);
    const std::uint64_t end = head_.load(std::memory_order_seq_cst);
    while (at != end) {
      const Record record = read(at);
      if (record.total == kPadding) {
        at += capacity_ - (at & (capacity_ - 1));
        continue;
      }
      visit(record.path, record.line);
      at += record.total;
      ++count;
    }
    tail_.store(at, std::memory_order_release);
    return count;
  }

 private:
  static constexpr std::uint32_t kPadding = 0xffffffff;
  struct Header {
    std::uint32_t total;  // of the record, rounded up; kPadding: the rest of the ring is unused
    std::uint32_t line;
    std::uint32_t path;
    std::uint32_t reserved;
  };
  struct Record {
    std::uint32_t total;
    std::string_view path;
    std::string_view line;
  };
  Record read(std::uint64_t at) const;

  const std::size_t capacity_;
  std::unique_ptr<std::byte[]> bytes_;
  alignas(64) std::atomic<std::uint64_t> head_{0};  // written by the worker
  std::uint64_t known_tail_ = 0;                    // the worker's copy of tail_
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // written by the writer
};

class AccessLogWriter;

class AccessLogQueue {
 public:
  AccessLogQueue(AccessLogWriter& writer, metrics::WorkerMetrics& metrics, std::size_t capacity);

  // Formats and hands over one line, if `log`'s filters let it through. REQUIRES: the exchange has ended (info.end).
  void log(const model::AccessLog& log, const RequestInfo& info, Random& random);

 private:
  friend class AccessLogWriter;
  AccessLogWriter& writer_;
  metrics::WorkerMetrics& metrics_;
  LogRing ring_;
  std::string line_;  // kept, so that formatting allocates nothing once it has grown
};

// What `log` prints about an exchange; appends. No filters.
void append_access_log_line(std::string& out, const model::AccessLog& log, const RequestInfo& info);

class AccessLogWriter {
 public:
  static constexpr std::size_t kRingBytes = 256 * 1024;

  // `report` gets words for the operator when a file cannot be opened or written; called on the writer's thread.
  using Report = void (*)(std::string_view);
  explicit AccessLogWriter(Report report = nullptr);
  AccessLogWriter(const AccessLogWriter&) = delete;
  AccessLogWriter& operator=(const AccessLogWriter&) = delete;
  ~AccessLogWriter();  // flushes; the workers have stopped

  // Main thread. The queue lives as long as the writer. The thread starts with the first queue, so that a proxy
  // without access logs pays nothing: call this only for workers that have some.
  AccessLogQueue& add_worker(metrics::WorkerMetrics& metrics, std::size_t capacity = kRingBytes);

  void reopen();  // files, after a rotation (SIGUSR1); takes effect at the next write; any thread
  void flush();   // returns when all that was logged before is written; not from a worker

 private:
  friend class AccessLogQueue;
  struct Sink {
    std::shared_ptr<spdlog::sinks::sink> sink;  // null: could not be opened
    std::string pending;
  };

  void wake();
  void nudge() {  // by a worker, after a push
    if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false)) {
      wake();
    }
  }
  void run();
  std::size_t drain_all();
  void write_pending();
  Sink& sink_for(std::string_view path);
  void wait(int timeout_ms);

  const Report report_;
  const int event_fd_;
  std::atomic<bool> asleep_{false};  // waits without a time limit: the next push must wake it
  std::atomic<bool> stop_{false};
  std::atomic<bool> reopen_{false};
  std::atomic<std::uint64_t> flush_wanted_{0};
  std::atomic<std::uint64_t> flush_done_{0};

  std::mutex mutex_;  // queues_: main adds, the writer walks; workers never touch it
  std::vector<std::unique_ptr<AccessLogQueue>> queues_;
  std::unordered_map<std::string, Sink> sinks_;  // the writer's thread
  std::thread thread_;
};

}  // namespace remora::proxy
