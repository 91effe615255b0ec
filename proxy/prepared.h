// Prepared: a Snapshot with all that is made of it once for all workers: compiled route tables, clusters joined to what
// lives on of them. Made on the main thread, ahead of the workers, so that to adopt it costs them little. Immutable
// once it is handed out; any thread.
#pragma once

#include <memory>
#include <vector>

#include "proxy/listener/listener.h"
#include "proxy/model/snapshot.h"
#include "proxy/upstream/cluster_shared.h"

namespace remora::proxy {

struct Prepared {
  std::shared_ptr<const model::Snapshot> snapshot;
  std::vector<PreparedListener> listeners;  // that bind, in the snapshot's order
  std::vector<std::shared_ptr<const upstream::PreparedCluster>> clusters;
};

// `before`: what was prepared last, or null; what did not change is taken over from it. Main thread.
Prepared prepare(std::shared_ptr<const model::Snapshot> snapshot, upstream::SharedState& shared,
                 const Prepared* before);

}  // namespace remora::proxy
