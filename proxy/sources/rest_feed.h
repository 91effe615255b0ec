// RestFeed: resources of one type by REST: POST /v3/discovery:clusters with a DiscoveryRequest in JSON, each
// refresh_delay, and at once when something new is wanted. An answer that is the last one again changes nothing. Owned
// by DynamicConfig; main thread. Source: Envoy's xDS protocol, "REST endpoints".
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/consul/client.h"
#include "proxy/sources/feed.h"
#include "proxy/xds/config_source.h"

namespace remora::sources {

class RestFeed final : public Feed {
 public:
  // None: they are being looked for, for the first time.
  using Addresses = std::function<std::optional<std::vector<Address>>()>;

  RestFeed(const net::ConnectionContext& context, net::Network& network, Random& random, xds::ConfigSource source,
           std::string node, ResourceType type, Addresses addresses, FeedEvents events);

  void want_all(ResourceType) override { all_ = true; }
  void want(ResourceType type, const std::set<std::string>& names) override;
  XdsClientFacts facts() const override { return facts_; }

 private:
  void poll();
  void schedule();
  void on_answer(std::expected<consul::Answer, consul::Failure> outcome);
  void take(const std::string& body);
  void note_success();
  void note_failure(const std::string& words);
  std::string body() const;

  const net::ConnectionContext context_;
  net::Network& network_;
  Random& random_;
  const xds::ConfigSource source_;
  const std::string node_;
  const ResourceType type_;
  const Addresses addresses_;
  const FeedEvents events_;

  bool all_ = false;
  std::set<std::string> names_;
  std::string version_;                // accepted; none while something is wanted that the answer to it may lack
  std::string error_;                  // of the last answer
  std::optional<std::size_t> answer_;  // the last one's hash, until something new is wanted
  bool again_ = false;                 // something new was wanted while a question was under way
  std::vector<Address> used_;
  XdsClientFacts facts_;
  std::unique_ptr<consul::Client> client_;
  std::unique_ptr<consul::Pending> pending_;  // before its client
  Timer timer_;
};

}  // namespace remora::sources
