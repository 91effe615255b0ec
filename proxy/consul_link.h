// ConsulLink: all that a proxy has to do with Consul, in one place for the sidecar to hold: the client, the endpoints
// that it finds, the service that it registers; and what metrics and pages say of it. Owned by Sidecar; main thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/arena.h"
#include "core/base/random.h"
#include "core/consul/client.h"
#include "core/consul/registration.h"
#include "core/net/network.h"
#include "metrics/registry.h"
#include "proxy/admin/facts.h"
#include "proxy/sources/consul_source.h"

namespace remora::proxy {

struct ConsulLinkOptions {
  std::string agents;        // --consul: see consul::parse_agents
  std::string token_file;    // --consul-token-file; empty: no token
  std::string ca_file;       // --consul-ca-file, for https; empty: the system's
  std::string service_file;  // --register; empty: nothing is registered
};

class ConsulLink {
 public:
  // The loop and the network are the main thread's, and outlive it. Errors say which option is wrong, and why.
  static Result<std::unique_ptr<ConsulLink>> make(Loop& loop, net::Network& network, std::uint64_t seed,
                                                  const ConsulLinkOptions& options,
                                                  sources::ConsulSource::Events events);
  ConsulLink(const ConsulLink&) = delete;
  ConsulLink& operator=(const ConsulLink&) = delete;

  // The clusters that there are: those that Consul is to find are followed.
  void follow(std::span<const std::shared_ptr<const model::Cluster>> clusters) { source_.follow(clusters); }
  // Registers the service that the options name, when the proxy is ready to be called.
  void enroll();
  // On drain: deregisters; `done` comes on a later turn, after `limit` at the latest, at once when nothing is
  // registered.
  void leave(Milliseconds limit, std::function<void()> done);

  void register_metrics(metrics::Registry& registry) const;
  // Of one cluster, for /clusters; none: it is not found in Consul.
  std::optional<admin::DiscoveryFacts> facts(const std::string& cluster) const;

 private:
  ConsulLink(Loop& loop, net::Network& network, std::uint64_t seed, consul::ClientOptions options,
             sources::ConsulSource::Events events);

  BlockPool blocks_;
  std::array<char, 16 * 1024> scratch_;
  Random random_;
  const std::function<void(const std::string&)> tell_;
  consul::Client client_;
  sources::ConsulSource source_;
  std::optional<consul::ServiceDefinition> service_;
  std::unique_ptr<consul::Registration> registration_;
};

}  // namespace remora::proxy
