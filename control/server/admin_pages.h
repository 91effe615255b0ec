// ControlPages: what the control plane shows of itself: /ready, /metrics, /nodes (who is connected, on which version,
// its last ACK or NACK and why), /config (what a node gets, as JSON). Holds no state. Owned by control's main; main
// thread.
#pragma once

#include <string>

#include "control/server/ads_server.h"
#include "control/server/resource_cache.h"
#include "core/admin/request.h"

namespace remora::control {

class ControlPages {
 public:
  ControlPages(AdsServer& server, const ResourceProvider& provider) : server_(server), provider_(provider) {}

  admin::AdminResponse answer(const admin::AdminRequest& request);

 private:
  admin::AdminResponse index() const;
  admin::AdminResponse ready() const;
  admin::AdminResponse metrics() const;
  admin::AdminResponse nodes(bool as_json) const;
  admin::AdminResponse config(const admin::AdminRequest& request) const;

  AdsServer& server_;
  const ResourceProvider& provider_;
};

}  // namespace remora::control
