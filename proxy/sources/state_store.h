// StateStore: the last good resources in a file of --state-dir, so that a proxy that starts while nobody serves it does
// not start empty. Written whole to a file beside it that then takes its place; only its owner may read it, for it
// holds all that the control plane said. Owned by DynamicConfig; main thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "proxy/model/snapshot.h"
#include "proxy/sources/resources.h"

namespace remora::sources {

class SnapshotBuilder;

struct State {
  std::string written;                                             // RFC 3339
  std::vector<ResourceUpdate> updates;                             // in the order in which they apply
  std::map<std::string, std::vector<model::Endpoint>> discovered;  // by cluster
};

class StateStore {
 public:
  StateStore(std::string directory, const model::Node& node);

  // Empty: there is none yet. An error: there is one that is not to be used, and why.
  Result<std::optional<State>> load() const;
  // Creates the directory when there is none.
  Result<void> save(const SnapshotBuilder& builder, WallTime now) const;

  const std::string& path() const { return path_; }

 private:
  const std::string directory_;
  const model::Node node_;
  const std::string path_;
};

}  // namespace remora::sources
