#include "proxy/resolvers.h"

namespace remora::proxy {

net::Resolver& Resolvers::of(const model::DnsDiscovery& discovery) {
  std::string settings = discovery.tcp ? "tcp" : "udp";
  settings += discovery.search ? " search" : "";
  for (const Address& server : discovery.servers) {
    settings += " " + server.to_string();
  }
  auto& resolver = by_settings_[settings];
  if (!resolver) {
    net::AresOptions options;
    options.servers = discovery.servers;
    options.tcp = discovery.tcp;
    options.search = discovery.search;
    resolver = std::make_unique<net::AresResolver>(loop_, options);
  }
  return *resolver;
}

}  // namespace remora::proxy
