// Resolvers: one AresResolver for each way in which clusters want names resolved: the system's, and those that name
// servers of their own. Made when they are first asked for. Owned by Discovery; main thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "core/net/ares_resolver.h"
#include "proxy/model/cluster.h"

namespace remora::proxy {

class Resolvers {
 public:
  explicit Resolvers(LibeventLoop& loop) : loop_(loop) {}

  net::Resolver& of(const model::DnsDiscovery& discovery);

 private:
  LibeventLoop& loop_;
  std::unordered_map<std::string, std::unique_ptr<net::AresResolver>> by_settings_;
};

}  // namespace remora::proxy
