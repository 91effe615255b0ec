// ClusterState: one cluster as one worker sees it: endpoints, load balancer, series. Owned by the Worker, which has it
// adopt each new configuration: endpoints whose address did not change keep their connections, others come and go. What
// goes finishes what it has under way first. Worker thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/event_log.h"
#include "core/base/pin.h"
#include "core/base/random.h"
#include "metrics/registry.h"
#include "proxy/upstream/cluster_shared.h"
#include "proxy/upstream/endpoint_state.h"
#include "proxy/upstream/load_balancer.h"

namespace remora::upstream {

// A configuration of the cluster, while anyone in flight may look at it. Owned by ClusterState.
class ClusterConfig final : public Pinnable {
 public:
  explicit ClusterConfig(std::shared_ptr<const PreparedCluster> prepared) : prepared_(std::move(prepared)) {}
  const model::Cluster& operator*() const { return *prepared_->config; }
  const PreparedCluster& prepared() const { return *prepared_; }

 private:
  std::shared_ptr<const PreparedCluster> prepared_;
};

class ClusterState {
 public:
  // `id`: above 0, and never given twice by this worker.
  ClusterState(const net::ConnectionContext& connections, net::Network& network,
               std::shared_ptr<const PreparedCluster> prepared, metrics::ClusterSeries& series, unsigned worker,
               std::uint64_t id);
  ClusterState(const ClusterState&) = delete;
  ClusterState& operator=(const ClusterState&) = delete;
  ~ClusterState();

  // For as long as an exchange or a tunnel may come back here: the cluster lives, and what `config` says now stays.
  // Take one anew for each attempt: endpoints name their own configuration.
  Pin<ClusterConfig> pin() { return Pin<ClusterConfig>(*config_); }

  const std::string& name() const { return shared_->name; }
  const model::Cluster& config() const { return **config_; }
  ClusterLimits& limits() { return shared_->limits; }
  Breaker& breaker() { return shared_->breaker; }
  metrics::ClusterSeries& series() { return series_; }
  EventLog* log() { return shared_->connections; }
  std::uint64_t next_connection_id() { return shared_->next_connection_id.fetch_add(1, std::memory_order_relaxed); }
  const http::CodecLimits& response_limits() const { return response_limits_; }
  PoolContext pool_context() { return {connections_, network_, *this}; }
  std::uint64_t id() const { return id_; }

  // Where a new connection goes. Null: no endpoint is fit to be called.
  EndpointState* pick(const PickContext& context) { return static_cast<EndpointState*>(balancer_.pick(context)); }
  // The same for a request, which a connection that is open to an earlier address of a LOGICAL_DNS name may carry too.
  EndpointState* pick_for_request(const PickContext& context) {
    EndpointState* picked = pick(context);
    return keeps_former_ && picked != nullptr && !leaving_.empty() ? &prefer_open(*picked) : picked;
  }
  bool picks_by_hash() const {
    return config().lb_policy == model::LbPolicy::ring_hash || config().lb_policy == model::LbPolicy::maglev;
  }

  void report_response(EndpointState& endpoint, int status, MonotonicTime now, Random& random);
  void report_local_failure(EndpointState& endpoint, bool timeout, MonotonicTime now, Random& random);

  // A connection is there, new or pooled: matters where local failures are told apart.
  void report_ready(EndpointState& endpoint) { shared_->outliers.on_connected(endpoint.shared->health); }
  // Of a connection without a codec: that it was established is all the success that can be seen.
  void report_connected(EndpointState& endpoint, MonotonicTime now, Random& random);

  // Another configuration of this cluster. Not from inside a callback of one of its connections.
  // REQUIRES: adopts(prepared).
  void adopt(std::shared_ptr<const PreparedCluster> prepared);
  // False for one that needs a ClusterState of its own: another cluster, or another name in the metrics.
  bool adopts(const PreparedCluster& prepared) const;
  bool has(const PreparedCluster& prepared) const { return &config_->prepared() == &prepared; }
  // No configuration names it any more: what is in flight finishes here, retries among it.
  void leave();
  bool left() const { return left_; }
  // Left, and nothing is in flight any more: it may be destroyed.
  bool over() const;

  // Four times a second or so: what must happen without a request.
  void tick(MonotonicTime now, Random& random);
  // After an outcome was told to the breaker: its gauge says so at once.
  void show_breaker() {
    if (shared_->breaker.enabled()) {
      series_.breaker_state.set(static_cast<std::int64_t>(shared_->breaker.state()));
    }
  }

  struct Size {
    std::size_t endpoints = 0;
    std::size_t leaving = 0;  // the configuration has them no more, but something is in flight there
    std::size_t configs = 0;  // that something in flight looks at, the one of now among them
  };
  Size size() const { return {endpoints_.size(), leaving_.size(), 1 + old_configs_.size()}; }

 private:
  void use(std::shared_ptr<const PreparedCluster> prepared);
  void take_endpoints(const PreparedCluster* before);
  void take_leave(EndpointState& state);
  EndpointState& prefer_open(EndpointState& picked);
  std::unique_ptr<EndpointState> take_known(EndpointState* state, std::vector<std::unique_ptr<EndpointState>>& old);
  void renew_connections();
  void sweep();
  void show_endpoints(Random& random);

  const net::ConnectionContext connections_;
  net::Network& network_;
  const std::shared_ptr<ClusterShared> shared_;
  metrics::ClusterSeries& series_;
  const std::uint64_t id_;
  const unsigned worker_;
  std::unique_ptr<ClusterConfig> config_;
  std::vector<std::unique_ptr<ClusterConfig>> old_configs_;  // while pinned
  http::CodecLimits response_limits_;
  std::vector<std::unique_ptr<EndpointState>> endpoints_;  // as the configuration lists them
  std::vector<std::unique_ptr<EndpointState>> leaving_;    // while in use
  LoadBalancer balancer_;
  bool keeps_former_ = false;  // LOGICAL_DNS: connections outlive the address that they were opened to
  bool left_ = false;
};

}  // namespace remora::upstream
