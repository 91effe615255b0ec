// ClusterState: one cluster as one worker sees it: endpoints, load balancer, series. ClusterShared: the limits and
// verdicts that hold across workers. SharedState: all ClusterShared by name. A configuration swap reconciles them: what
// did not change stays. ClusterState belongs to its worker's thread; ClusterShared's atomics to all.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/event_log.h"
#include "core/base/random.h"
#include "metrics/registry.h"
#include "proxy/model/snapshot.h"
#include "proxy/upstream/circuit_breaker.h"
#include "proxy/upstream/endpoint_state.h"
#include "proxy/upstream/limits.h"
#include "proxy/upstream/load_balancer.h"
#include "proxy/upstream/outlier_detector.h"

namespace remora::upstream {

// Words for the operator when a cluster's fitness changes: a breaker opens, an endpoint is ejected. Any thread.
using ClusterLog = std::function<void(const std::string&)>;

// Who hears of connections; both may be null, and outlive the state. Any thread.
struct ConnectionLogs {
  EventLog* upstream = nullptr;    // Envoy's logger `pool`
  EventLog* downstream = nullptr;  // `connection`
};

struct ClusterShared {
  ClusterShared(std::shared_ptr<const model::Cluster> config_in, std::size_t workers, ClusterLog log_in,
                EventLog* connections_in = nullptr);

  const std::shared_ptr<const model::Cluster> config;
  const ClusterLog log;
  EventLog* const connections;
  std::atomic<std::uint64_t> next_connection_id{0};
  HealthGeneration health_generation{0};
  std::array<std::atomic<std::uint64_t>, 3> breaker_entered{};  // by Breaker::State
  ClusterLimits limits;
  Breaker breaker;
  std::vector<std::shared_ptr<EndpointShared>> endpoints;  // as the configuration lists them
  OutlierDetector outliers;
};

class SharedState {
 public:
  explicit SharedState(std::size_t workers, ClusterLog log = {}, ConnectionLogs connections = {})
      : workers_(workers), log_(std::move(log)), connections_(connections) {}
  const ConnectionLogs& connection_logs() const { return connections_; }
  std::size_t workers() const { return workers_; }

  // The shared part of this very configuration: made by whoever asks first. Any thread; takes a lock.
  std::shared_ptr<ClusterShared> cluster(const std::shared_ptr<const model::Cluster>& config);
  // For pages: all that workers use now. Any thread.
  std::vector<std::shared_ptr<ClusterShared>> clusters() const;

 private:
  const std::size_t workers_;
  const ClusterLog log_;
  const ConnectionLogs connections_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<ClusterShared>> by_name_;
};

class ClusterState {
 public:
  ClusterState(const net::ConnectionContext& connections, net::Network& network, std::shared_ptr<ClusterShared> shared,
               metrics::ClusterSeries& series, unsigned worker);
  ClusterState(const ClusterState&) = delete;
  ClusterState& operator=(const ClusterState&) = delete;
  ~ClusterState();

  const model::Cluster& config() const { return *shared_->config; }
  ClusterLimits& limits() { return shared_->limits; }
  Breaker& breaker() { return shared_->breaker; }
  metrics::ClusterSeries& series() { return series_; }
  EventLog* log() { return shared_->connections; }
  std::uint64_t next_connection_id() { return shared_->next_connection_id.fetch_add(1, std::memory_order_relaxed); }
  const http::CodecLimits& response_limits() const { return response_limits_; }

  // Null: no endpoint is fit to be called.
  EndpointState* pick(const PickContext& context) { return static_cast<EndpointState*>(balancer_.pick(context)); }
  bool picks_by_hash() const {
    return config().lb_policy == model::LbPolicy::ring_hash || config().lb_policy == model::LbPolicy::maglev;
  }

  void report_response(EndpointState& endpoint, int status, MonotonicTime now, Random& random);
  void report_local_failure(EndpointState& endpoint, bool timeout, MonotonicTime now, Random& random);

  // A connection is there, new or pooled: matters where local failures are told apart.
  void report_ready(EndpointState& endpoint) { shared_->outliers.on_connected(endpoint.shared->health); }
  // Of a connection without a codec: that it was established is all the success that can be seen.
  void report_connected(EndpointState& endpoint, MonotonicTime now, Random& random);

  // Four times a second or so: what must happen without a request.
  void tick(MonotonicTime now, Random& random);
  // After an outcome was told to the breaker: its gauge says so at once.
  void show_breaker() {
    if (shared_->breaker.enabled()) {
      series_.breaker_state.set(static_cast<std::int64_t>(shared_->breaker.state()));
    }
  }
  void drain();  // closes idle connections

 private:
  std::shared_ptr<ClusterShared> shared_;
  metrics::ClusterSeries& series_;
  http::CodecLimits response_limits_;
  std::vector<std::unique_ptr<EndpointState>> endpoints_;
  LoadBalancer balancer_;
  const bool counts_events_;  // of one worker alone: what happens to the cluster counts once
  std::array<std::uint64_t, 3> transitions_seen_{};
  std::array<std::uint64_t, OutlierDetector::kKinds> ejections_seen_{};
};

}  // namespace remora::upstream
