// ControlPages: what the control plane shows of itself: /ready, /metrics, /nodes (who is connected, on which version,
// its last ACK or NACK and why), /config (what a node gets, as JSON), /sources (where the mesh comes from, and how well
// that goes). Holds no state. Owned by control's main; main thread.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "control/server/ads_server.h"
#include "control/server/resource_cache.h"
#include "control/server/source_page.h"
#include "core/admin/request.h"

namespace remora::control {

class ControlPages {
 public:
  using ReadSources = std::function<Sources()>;

  // `sources` may be empty: then nobody knows where the mesh comes from.
  ControlPages(AdsServer& server, const ResourceProvider& provider, ReadSources sources = {})
      : server_(server), provider_(provider), sources_(std::move(sources)) {}

  admin::AdminResponse answer(const admin::AdminRequest& request);

 private:
  admin::AdminResponse index() const;
  admin::AdminResponse ready() const;
  admin::AdminResponse metrics() const;
  admin::AdminResponse nodes(bool as_json) const;
  admin::AdminResponse sources(bool as_json) const;
  admin::AdminResponse config(const admin::AdminRequest& request) const;

  AdsServer& server_;
  const ResourceProvider& provider_;
  const ReadSources sources_;
};

}  // namespace remora::control
