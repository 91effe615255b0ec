// Access log: lines formatted by a worker into a ring of its own, and written by one thread for all. A full ring drops
// the line and counts it: no worker ever waits for a disk. AccessLogWriter is owned by main and outlives the workers;
// an AccessLogQueue belongs to the writer and is used by its worker.
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
#include "proxy/filters/log_ring.h"
#include "proxy/info/request_info.h"
#include "proxy/model/listener.h"

namespace spdlog::sinks {
class sink;
}

namespace remora::proxy {

// What Envoy prints where no format is configured.
inline constexpr std::string_view kDefaultAccessLogFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% "
    "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" "
    "\"%UPSTREAM_HOST%\"\n";

// What `log` prints about an exchange; appends. Asks no filters.
void append_access_log_line(std::string& out, const model::AccessLog& log, const RequestInfo& info);
// Whether `log`'s filters let an exchange through. REQUIRES: it has ended (info.end).
bool wants_access_log(const model::AccessLog& log, const RequestInfo& info, Random& random);

class AccessLogWriter;

class AccessLogQueue {
 public:
  // Once for each exchange and each of its listener's access logs, when it has ended.
  void log(const model::AccessLog& log, const RequestInfo& info, Random& random);

 private:
  friend class AccessLogWriter;
  AccessLogQueue(AccessLogWriter& writer, metrics::WorkerMetrics& metrics, std::size_t capacity)
      : writer_(writer), metrics_(metrics), ring_(capacity) {}

  AccessLogWriter& writer_;
  metrics::WorkerMetrics& metrics_;
  LogRing ring_;
  std::string line_;  // kept, so that formatting allocates nothing once it has grown
};

class AccessLogWriter {
 public:
  static constexpr std::size_t kRingBytes = 256 * 1024;

  // `report` gets words for the operator when a file cannot be opened or written; called on the writer's thread.
  using Report = void (*)(std::string_view words);
  explicit AccessLogWriter(Report report = nullptr);
  AccessLogWriter(const AccessLogWriter&) = delete;
  AccessLogWriter& operator=(const AccessLogWriter&) = delete;
  ~AccessLogWriter();  // writes what is left. REQUIRES: the workers have stopped

  // The queue of one worker; lives as long as the writer. Main thread. The first starts the thread, so call this only
  // for workers that have access logs: a proxy without them pays nothing.
  AccessLogQueue& add_worker(metrics::WorkerMetrics& metrics, std::size_t capacity = kRingBytes);

  void reopen();  // files, after a rotation; any thread
  void flush();   // returns when all that was logged before is in the files; any thread but a worker's

 private:
  friend class AccessLogQueue;
  struct Sink {
    std::shared_ptr<spdlog::sinks::sink> sink;  // null: not open
    std::string pending;
    bool failed = false;  // reported already
  };

  void after_push(const LogRing& ring);
  void wake();
  void run();
  bool drain();
  void write(const std::string& path, Sink& sink);
  void open(const std::string& path, Sink& sink);
  void fail(const std::string& path, Sink& sink, const char* what);
  void wait(bool busy);

  const Report report_;
  const int event_fd_;
  std::atomic<bool> asleep_{false};   // waits without a limit: the next push must wake it
  std::atomic<bool> hurried_{false};  // has been woken because a ring is filling
  std::atomic<bool> stop_{false};
  std::atomic<bool> reopen_{false};
  std::atomic<std::uint64_t> flush_wanted_{0};
  std::atomic<std::uint64_t> flush_done_{0};

  std::mutex mutex_;  // queues_: main adds, the writer walks; workers never take it
  std::vector<std::unique_ptr<AccessLogQueue>> queues_;
  std::unordered_map<std::string, Sink> sinks_;  // the writer's thread
  std::string key_;                              // the writer's: for look-ups
  std::thread thread_;
};

}  // namespace remora::proxy
