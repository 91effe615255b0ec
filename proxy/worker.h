// Worker: one thread's whole data plane: its listeners, clusters, pools and exchanges. Made on any thread, then used on
// the loop's own; only the counts may be read from elsewhere. Owned by the Sidecar.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/net/network.h"
#include "metrics/registry.h"
#include "proxy/exchange/worker_context.h"
#include "proxy/listener/listener.h"
#include "proxy/model/snapshot.h"
#include "proxy/upstream/cluster_state.h"

namespace remora::proxy {

struct WorkerOptions {
  unsigned index = 0;
  std::uint64_t seed = 1;
};

class Worker {
 public:
  // `access_log` may be null: then no line is written.
  Worker(Loop& loop, net::Network& network, upstream::SharedState& shared, metrics::WorkerMetrics& metrics,
         AccessLogQueue* access_log, const WorkerOptions& options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // Opens the snapshot's listeners and makes its clusters. On an error nothing is open.
  Result<void> apply(std::shared_ptr<const model::Snapshot> snapshot);

  // Answers say `connection: close`, idle connections close; new ones are still taken until stop_listening.
  // `inbound_only`: of listeners with that traffic_direction.
  void drain(bool inbound_only = false);
  void stop_listening(bool inbound_only = false);
  // /healthcheck/fail: from now on answers say `connection: close`, as Envoy's do.
  void set_health_check_failed(bool failed) { context_.health_check_failed = failed; }
  void close_all();

  std::size_t active_connections() const { return context_.active_connections.load(std::memory_order_relaxed); }
  const std::vector<std::unique_ptr<Listener>>& listeners() const { return listeners_; }

 private:
  void settle_turn();
  void tick();

  net::Network& network_;
  upstream::SharedState& shared_;
  const WorkerOptions options_;
  BlockPool blocks_;
  std::unique_ptr<char[]> scratch_;
  Random random_;
  WorkerContext context_;
  net::ConnectionContext connections_;
  std::shared_ptr<const model::Snapshot> snapshot_;
  std::vector<std::unique_ptr<upstream::ClusterState>> clusters_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Timer tick_timer_;
  std::string date_;
};

}  // namespace remora::proxy
