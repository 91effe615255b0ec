// Worker: one thread's whole data plane: its listeners, clusters, pools and exchanges. Made on any thread, then used on
// the loop's own; only the counts may be read from elsewhere. Owned by the Sidecar.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/net/network.h"
#include "metrics/registry.h"
#include "proxy/exchange/worker_context.h"
#include "proxy/listener/listener.h"
#include "proxy/prepared.h"
#include "proxy/upstream/cluster_state.h"

namespace remora::proxy {

struct WorkerOptions {
  unsigned index = 0;
  std::uint64_t seed = 1;
  Nanoseconds drain_time = Seconds(25);  // of a listener that went away: what is left is cut then
  EventLog* connection_log = nullptr;    // hears of connections; may be null
};

// A listener that could not be opened.
struct ListenerError {
  std::string listener;
  std::string words;
};

// What came of a configuration in one worker.
struct Applied {
  std::vector<Address> addresses;  // of the prepared listeners, one by one; as wanted where this worker has none
  std::vector<ListenerError> errors;
};

class Worker {
 public:
  // `access_log` may be null: then no line is written.
  Worker(Loop& loop, net::Network& network, metrics::WorkerMetrics& metrics, AccessLogQueue* access_log,
         const WorkerOptions& options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // Goes over to this configuration; see docs/ownership.md. A listener at an address that is listened on already, and a
  // cluster of a known name, adopt theirs and keep what they have; what is not wanted any more drains. Where a new
  // address cannot be had, what listened under that name goes on as it was. Not from inside a callback of a connection.
  Applied apply(const Prepared& prepared);

  // From now on access logs go there.
  void set_access_log(AccessLogQueue* queue) { context_.access_log = queue; }

  // Answers say `connection: close`, idle connections close; new ones are still taken until stop_listening.
  // `inbound_only`: of listeners with that traffic_direction.
  void drain(bool inbound_only = false);
  void stop_listening(bool inbound_only = false);
  // /healthcheck/fail: from now on answers say `connection: close`, as Envoy's do.
  void set_health_check_failed(bool failed) { context_.health_check_failed = failed; }
  void close_all();

  std::size_t active_connections() const { return context_.active_connections.load(std::memory_order_relaxed); }
  const std::vector<std::unique_ptr<Listener>>& listeners() const { return listeners_; }

  // What a swap left behind, until nothing in flight needs it.
  struct Leftovers {
    std::size_t listeners = 0;  // draining
    std::size_t contexts = 0;   // former configurations of listeners
    std::size_t clusters = 0;
    std::size_t endpoints = 0;
  };
  Leftovers leftovers() const;

 private:
  void adopt_clusters(const Prepared& prepared);
  upstream::ClusterState* known_cluster(const upstream::PreparedCluster& prepared);
  std::unique_ptr<Listener> open_listener(const PreparedListener& prepared, Applied& applied);
  void adopt_listeners(const Prepared& prepared, Applied& applied);
  void leave_unwanted_clusters();
  void sweep();
  void settle_turn();
  void tick();

  net::Network& network_;
  const WorkerOptions options_;
  BlockPool blocks_;
  std::unique_ptr<char[]> scratch_;
  Random random_;
  WorkerContext context_;
  net::ConnectionContext connections_;
  std::vector<std::unique_ptr<upstream::ClusterState>> clusters_;  // that have left among them, until they are over
  std::uint64_t next_cluster_id_ = 1;
  std::shared_ptr<const ClusterDirectory> directory_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Listener>> leaving_;
  bool stopped_ = false;   // opens no more listeners
  bool draining_ = false;  // those that open say close from the start
  Timer tick_timer_;
  std::string date_;
};

}  // namespace remora::proxy
