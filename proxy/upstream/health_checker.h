// HealthChecker: asks endpoints, on its own time, whether they are well, and tells the load balancers of all workers
// through EndpointHealth. One a process; main thread. Semantics: Envoy's active health checking: an endpoint counts as
// failed until its first check has passed, which suffices at once; then thresholds hold; a wrong HTTP status fails at
// once; checks are rare while a cluster has no traffic.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/random.h"
#include "core/net/connection.h"
#include "core/net/network.h"
#include "metrics/registry.h"
#include "proxy/model/cluster.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

class HealthSession;

// A cluster to be checked, and the endpoints' health as the workers share it.
struct CheckedCluster {
  std::shared_ptr<const model::Cluster> config;
  std::shared_ptr<HealthGeneration> generation;
  std::vector<std::shared_ptr<EndpointHealth>> endpoints;  // of config->endpoints, one by one
  std::function<bool()> has_traffic;                       // was an endpoint ever connected to? Main thread
};

class HealthChecker {
 public:
  struct Context {
    net::ConnectionContext connections;
    net::Network& network;
    Random& random;
    metrics::WorkerMetrics& metrics;              // of the main thread
    std::function<void(const std::string&)> log;  // an endpoint's state changed, in words
  };

  explicit HealthChecker(Context context);
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;
  ~HealthChecker();

  // All clusters of the configuration that comes into effect next, before any worker has it: endpoints that are new are
  // marked as failed, and asked; those that stay go on as they are; others are asked no more.
  void check(const std::vector<CheckedCluster>& clusters);

  // Has every endpoint's first check an outcome?
  bool settled() const;
  // On a later turn than the one in which it settles; at once on the next when it has.
  void when_settled(std::function<void()> call);

 private:
  friend class HealthSession;
  using Sessions = std::unordered_map<const EndpointHealth*, std::unique_ptr<HealthSession>>;

  static const HealthSession* former(const Sessions& sessions, const CheckedCluster& cluster);
  void on_first_outcome();
  void call_settled();

  const Context context_;
  Sessions sessions_;
  std::size_t waiting_ = 0;  // sessions without an outcome
  std::function<void()> when_settled_;
  Task settled_task_;
};

}  // namespace remora::upstream
