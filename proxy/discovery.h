// Discovery: what finds configuration while the proxy runs, wired together: the dynamic resources of the bootstrap, and
// whoever discovers the endpoints of clusters. Hands whole snapshots to its owner. Owned by Sidecar; main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/arena.h"
#include "core/base/random.h"
#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"
#include "metrics/registry.h"
#include "proxy/admin/facts.h"
#include "proxy/logging.h"
#include "proxy/sources/dynamic_config.h"

namespace remora::proxy {

class Discovery {
 public:
  using Publish = std::function<void(std::shared_ptr<const model::Snapshot>)>;

  // `state_dir` empty: nothing is kept on the disk. What is passed by reference outlives it.
  Discovery(LibeventLoop& loop, Logging& logging, xds::Bootstrap bootstrap, const std::string& state_dir,
            Publish publish);
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  void register_metrics(metrics::Registry& registry);
  // For /config_dump.
  admin::DynamicFacts facts() const;

 private:
  void log(sources::LogLevel level, const std::string& words);

  spdlog::logger& log_;
  net::SocketNetwork network_;
  BlockPool blocks_;
  std::unique_ptr<char[]> scratch_;
  Random random_;
  sources::DynamicConfig config_;
};

}  // namespace remora::proxy
