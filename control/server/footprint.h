// Footprint: the parts of a catalog that one service's proxies depend on, by identity: its own definition and entries,
// and those of every service that it may reach, however far routers, splitters, resolvers and mirrors lead. Two
// catalogs with the same footprint mean the same resources, so nothing needs to be translated again. A value; any
// thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalog/catalog.h"

namespace remora::control {

class Footprint {
 public:
  Footprint() = default;
  Footprint(const catalog::Catalog& catalog, std::string_view service);

  friend bool operator==(const Footprint&, const Footprint&) = default;

  // All that may be reached, itself among them.
  const std::set<std::string, std::less<>>& services() const { return services_; }

 private:
  friend class FootprintWalk;
  std::vector<std::shared_ptr<const void>> parts_;  // kept alive, so that an address means the same part
  std::set<std::string, std::less<>> services_;
  std::string datacenter_;
  bool allow_by_default_ = true;
  bool complete_ = true;
};

}  // namespace remora::control
