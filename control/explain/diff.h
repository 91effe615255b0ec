// Diff: what a change of the mesh changes for which proxy: resources that come and go, and the fields of those that
// stay. Proxies that see the same change are told together. A pure function; main thread.
#pragma once

#include <string>
#include <vector>

#include "control/catalog/catalog.h"
#include "control/translate/problem.h"

namespace remora::explain {

struct FieldChange {
  std::string path;    // "virtual_hosts[api].routes[api:/v2*].route.timeout"
  std::string before;  // empty: it was not there
  std::string after;   // empty: it is gone
  bool operator==(const FieldChange&) const = default;
};

struct ResourceChange {
  enum class Kind : unsigned char { added, removed, changed };
  Kind kind = Kind::changed;
  std::string type;  // "cluster", "listener", "route configuration"
  std::string name;
  std::vector<FieldChange> fields;  // of a changed one
  bool operator==(const ResourceChange&) const = default;
};

struct ProxyChange {
  enum class Kind : unsigned char { added, removed, changed };
  Kind kind = Kind::changed;
  std::vector<std::string> proxies;  // "web", or "api (api-2)" of a service with several instances
  std::vector<ResourceChange> resources;
  std::vector<std::string> problems;  // that the new mesh has and the old one has not
};

struct Diff {
  std::size_t proxies = 0;  // that were compared
  std::vector<ProxyChange> changes;
};

Diff diff(const catalog::Catalog& before, const catalog::Catalog& after);

std::string to_text(const Diff& diff);
std::string to_json(const Diff& diff);

}  // namespace remora::explain
