// What Consul's answers say of a mesh: config entries, instances, names of services, and what its agent says of itself.
// Pure functions over the text of an answer; any thread.
// Sources: Consul's API documentation: /v1/config/:kind, /v1/health/{service,connect}/:service, /v1/catalog/services,
// /v1/agent/self.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalog/catalog.h"
#include "control/catalog/document.h"
#include "core/base/result.h"
#include "core/config/config_error.h"

namespace remora::catalog {

using FileName = std::shared_ptr<const std::string>;  // "Consul (dc1)": what errors and places name

struct EntryAnswer {
  std::string name;
  std::uint64_t modify_index = 0;
  std::optional<EntryPtr> entry;  // none: it is wrong
  config::ConfigErrors errors;
};

// Says whether an entry is known already: then it is not read anew, and comes without one and without errors.
class KnownEntries {
 public:
  virtual bool knows(const std::string& name, std::uint64_t modify_index) const = 0;

 protected:
  ~KnownEntries() = default;
};

// One kind's, each by itself. The error: the answer is not what Consul's API says.
Result<std::vector<EntryAnswer>> read_entries_answer(std::string_view body, const FileName& file,
                                                     const KnownEntries* known = nullptr);

// The instances of a service out of what /v1/health/service and /v1/health/connect say: each with its sidecar, in the
// order of node and id. Either may be missing (empty) yet. What is wrong within one (an opaque `config`) goes to
// `errors`, and the instance is there all the same.
Result<Instances> read_instances(std::string_view service_body, std::string_view connect_body, const FileName& file,
                                 config::ConfigErrors& errors);

// The names of all registered services, sidecars' own among them, sorted.
Result<std::vector<std::string>> read_service_names(std::string_view body);

struct AgentFacts {
  std::string datacenter;
  bool allow_by_default = true;  // what holds where no intention matches
};
Result<AgentFacts> read_agent_facts(std::string_view body);

}  // namespace remora::catalog
