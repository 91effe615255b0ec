#include "proxy/resolvers.h"

#include <fmt/format.h>

namespace remora::proxy {

net::Resolver& Resolvers::of(const model::DnsDiscovery& discovery) {
  std::string settings = discovery.tcp ? "tcp" : "udp";
  settings += discovery.search ? " search" : "";
  settings += fmt::format(" {}*{}", discovery.query_timeout.count(), discovery.query_tries);
  for (const Address& server : discovery.servers) {
    settings += " " + server.to_string();
  }
  auto& resolver = by_settings_[settings];
  if (!resolver) {
    net::AresOptions options;
    options.servers = discovery.servers;
    options.tcp = discovery.tcp;
    options.search = discovery.search;
    options.timeout = discovery.query_timeout;
    options.tries = static_cast<int>(discovery.query_tries);
    resolver = std::make_unique<net::AresResolver>(loop_, options);
  }
  return *resolver;
}

}  // namespace remora::proxy
