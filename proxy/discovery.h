// Discovery: what finds configuration while the proxy runs, wired together: the dynamic resources of the bootstrap, and
// whoever discovers the endpoints of clusters. Hands whole snapshots to its owner. Owned by Sidecar; main thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
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
#include "proxy/resolvers.h"
#include "proxy/sources/dns_source.h"
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
  // Listeners come, and can come again otherwise: one that cannot be opened is no reason to give up.
  bool brings_listeners() const { return brings_listeners_; }
  // The proxy is ready to be called: what --register names is registered.
  void enroll();
  // On drain; `done` comes on a later turn, after `limit` at the latest.
  void leave(Milliseconds limit, std::function<void()> done);

  void register_metrics(metrics::Registry& registry);
  // For /config_dump.
  admin::DynamicFacts facts() const;
  // For /clusters; none: the cluster's endpoints stand in the configuration, or come from a control plane.
  std::optional<admin::DiscoveryFacts> facts_of(const std::string& cluster) const;

 private:
  void log(sources::LogLevel level, const std::string& words);

  sources::DynamicConfig::MakeFeed make_feed();
  void follow_clusters();
  void register_sources(metrics::Registry& registry);

  LibeventLoop& loop_;
  const Options& options_;
  spdlog::logger& log_;
  net::SocketNetwork network_;
  InotifyWatcher files_;
  BlockPool blocks_;
  std::unique_ptr<char[]> scratch_;
  Random random_;
  std::unique_ptr<ConsulLink> consul_;  // null: without --consul
  Resolvers resolvers_;
  sources::DnsSource dns_;
  std::set<std::string> without_consul_;  // clusters that want it, told of once
  std::unique_ptr<sources::DynamicConfig> config_;
  const bool brings_listeners_;
  xds::Bootstrap bootstrap_;  // until `start`
  Publish publish_;
};

}  // namespace remora::proxy
