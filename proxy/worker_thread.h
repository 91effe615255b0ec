// WorkerThread: a Worker with the loop, the network and the thread that it runs on. Owned by Sidecar; its methods are
// for the main thread, what they ask for happens on the worker's own.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"
#include "proxy/publisher.h"
#include "proxy/worker.h"

namespace remora::proxy {

class WorkerThread final : public PublishTarget {
 public:
  WorkerThread(metrics::WorkerMetrics& metrics, const WorkerOptions& options);
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread();  // ends the thread, and closes what it still has

  // `done` is called on the worker's thread.
  void apply(std::shared_ptr<const Prepared> prepared, std::function<void(Applied)> done) override;
  void set_access_log(AccessLogQueue* queue);
  void drain(bool inbound_only = false);
  void stop_listening(bool inbound_only = false);
  void set_health_check_failed(bool failed);
  void close_all();
  // Ends the thread after what was asked before, and waits for it.
  void join();

  std::size_t active_connections() const { return worker_.active_connections(); }

 private:
  LibeventLoop loop_;
  net::SocketNetwork network_;
  Worker worker_;
  std::thread thread_;
};

// The calling thread, the main one, gives way to the workers from now on where they want the same core: a
// configuration of thousands of endpoints takes a tenth of a second to read, which no request is to wait for.
void give_way_to_workers();

}  // namespace remora::proxy
