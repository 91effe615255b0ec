// ActiveChecks: the HealthChecker with what it needs of a process: a network, numbers and a log of the main thread.
// Made only when a configuration has health checks. Owned by Sidecar; main thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"
#include "metrics/registry.h"
#include "proxy/model/snapshot.h"
#include "proxy/upstream/cluster_state.h"
#include "proxy/upstream/health_checker.h"

namespace remora::proxy {

class ActiveChecks {
 public:
  ActiveChecks(LibeventLoop& loop, metrics::WorkerMetrics& metrics, std::uint64_t seed, upstream::ClusterLog log);

  // Of the snapshot that comes into effect next.
  void check(const std::vector<std::shared_ptr<const upstream::PreparedCluster>>& clusters);
  // When every endpoint's first check has an outcome, on a later turn.
  void when_settled(std::function<void()> call) { checker_.when_settled(std::move(call)); }

  static bool wanted(const model::Snapshot& snapshot);

 private:
  net::SocketNetwork network_;
  BlockPool blocks_;
  std::array<char, 16 * 1024> scratch_;
  Random random_;
  upstream::HealthChecker checker_;
};

}  // namespace remora::proxy
