// Discovery: what finds configuration while the proxy runs, wired together: the dynamic resources of the bootstrap, and
// whoever discovers the endpoints of clusters. Hands whole snapshots to its owner. Owned by Sidecar; main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/arena.h"
#include "core/base/random.h"
#include "core/event/inotify_watch.h"
#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"
#include "metrics/registry.h"
#include "proxy/admin/facts.h"
#include "proxy/consul_link.h"
#include "proxy/logging.h"
#include "proxy/options.h"
#include "proxy/sources/dynamic_config.h"

namespace remora::proxy {

class Discovery {
 public:
  using Publish = std::function<void(std::shared_ptr<const model::Snapshot>)>;

  // Of the options: --mesh, --state-dir and those of Consul. What is passed by reference outlives it.
  Discovery(LibeventLoop& loop, Logging& logging, xds::Bootstrap bootstrap, const Options& options, Publish publish);
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Before anything else: Consul's options may be wrong.
  Result<void> start();
  // The proxy is ready to be called: what --register names is registered.
  void enroll();
  // On drain; `done` comes on a later turn, after `limit` at the latest.
  void leave(Milliseconds limit, std::function<void()> done);

  void register_metrics(metrics::Registry& registry);
  // For /config_dump.
  admin::DynamicFacts facts() const;
  // For /clusters; none: the cluster's endpoints are not found in Consul.
  std::optional<admin::DiscoveryFacts> facts_of(const std::string& cluster) const;

 private:
  void log(sources::LogLevel level, const std::string& words);

  sources::DynamicConfig::MakeFeed make_feed();

  LibeventLoop& loop_;
  const Options& options_;
  spdlog::logger& log_;
  net::SocketNetwork network_;
  InotifyWatcher files_;
  BlockPool blocks_;
  std::unique_ptr<char[]> scratch_;
  Random random_;
  std::unique_ptr<ConsulLink> consul_;  // null: without --consul
  std::unique_ptr<sources::DynamicConfig> config_;
  xds::Bootstrap bootstrap_;  // until `start`
  Publish publish_;
};

}  // namespace remora::proxy
