#include "proxy/sources/stream_feed.h"

#include <fmt/format.h>

namespace remora::sources {
namespace {

struct Service {
  std::string_view package;
  std::string_view name;
  std::string_view what;
};

// By ResourceType.
constexpr Service kServices[kResourceTypes] = {
    {"cluster", "Cluster", "Clusters"}, {"endpoint", "Endpoint", "Endpoints"}, {"listener", "Listener", "Listeners"},
    {"route", "Route", "Routes"},       {"secret", "Secret", "Secrets"},
};

}  // namespace

std::string stream_path(std::optional<ResourceType> only, bool delta) {
  const std::string_view verb = delta ? "Delta" : "Stream";
  if (!only) {
    return fmt::format("/envoy.service.discovery.v3.AggregatedDiscoveryService/{}AggregatedResources", verb);
  }
  const Service& service = kServices[static_cast<std::size_t>(*only)];
  return fmt::format("/envoy.service.{}.v3.{}DiscoveryService/{}{}", service.package, service.name, verb, service.what);
}

StreamFeed::StreamFeed(Loop& loop, Random& random, std::unique_ptr<ControlPlane> control,
                       std::optional<ResourceType> only, const xds::ConfigSource& source, const std::string& node,
                       FeedEvents events)
    : client_(loop, random, std::move(control),
              source.kind == xds::ConfigSource::Kind::delta_grpc
                  ? make_delta_protocol({node, source.node_on_first_message_only})
                  : make_sotw_protocol({node, source.node_on_first_message_only}),
              {.path = stream_path(only, source.kind == xds::ConfigSource::Kind::delta_grpc),
               .metadata = {source.initial_metadata.begin(), source.initial_metadata.end()}},
              std::move(events)) {}

}  // namespace remora::sources
