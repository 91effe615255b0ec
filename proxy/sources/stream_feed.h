// StreamFeed: the Feed of a gRPC stream, aggregated or of one type. Owned by DynamicConfig; main thread.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "proxy/sources/feed.h"
#include "proxy/xds/config_source.h"

namespace remora::sources {

class StreamFeed final : public Feed {
 public:
  // `only` empty: all types on one stream.
  StreamFeed(Loop& loop, Random& random, std::unique_ptr<ControlPlane> control, std::optional<ResourceType> only,
             const xds::ConfigSource& source, const std::string& node, FeedEvents events);

  void want_all(ResourceType type) override { client_.protocol().want_all(type); }
  void want(ResourceType type, const std::set<std::string>& names) override { client_.protocol().want(type, names); }
  void have(ResourceType type, const std::string& name, const std::string& version) override {
    client_.protocol().have(type, name, version);
  }
  XdsClientFacts facts() const override { return client_.facts(); }

 private:
  XdsClient client_;
};

// "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters"
std::string stream_path(std::optional<ResourceType> only, bool delta);

}  // namespace remora::sources
