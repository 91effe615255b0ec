#include "proxy/worker_thread.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

namespace remora::proxy {

WorkerThread::WorkerThread(metrics::WorkerMetrics& metrics, const WorkerOptions& options)
    : network_(loop_), worker_(loop_, network_, metrics, nullptr, options) {
  thread_ = std::thread([this] { loop_.run(); });
  pthread_setname_np(thread_.native_handle(), fmt::format("worker_{}", options.index).c_str());
}

WorkerThread::~WorkerThread() { join(); }

void WorkerThread::apply(std::shared_ptr<const Prepared> prepared, std::function<void(Applied)> done) {
  loop_.post([this, prepared = std::move(prepared), done = std::move(done)] { done(worker_.apply(*prepared)); });
}

void WorkerThread::set_access_log(AccessLogQueue* queue) {
  loop_.post([this, queue] { worker_.set_access_log(queue); });
}

void WorkerThread::drain(bool inbound_only) {
  loop_.post([this, inbound_only] { worker_.drain(inbound_only); });
}

void WorkerThread::stop_listening(bool inbound_only) {
  loop_.post([this, inbound_only] { worker_.stop_listening(inbound_only); });
}

void WorkerThread::set_health_check_failed(bool failed) {
  loop_.post([this, failed] { worker_.set_health_check_failed(failed); });
}

void WorkerThread::close_all() {
  loop_.post([this] { worker_.close_all(); });
}

void WorkerThread::join() {
  if (thread_.joinable()) {
    loop_.post([this] { loop_.stop(); });  // posted, so that it comes after what was posted before
    thread_.join();
  }
}

void give_way_to_workers() {
  constexpr int kNice = 5;              // a quarter of a core that is contended: health checks and pages go on
  setpriority(PRIO_PROCESS, 0, kNice);  // on Linux: this thread alone
}

}  // namespace remora::proxy
