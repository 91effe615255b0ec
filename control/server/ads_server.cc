#include "control/server/ads_server.h"

#include <fmt/format.h>

#include <utility>

namespace remora::control {
namespace {

struct TypeService {
  Type type;
  std::string_view service;
  std::string_view noun;
};
constexpr std::array<TypeService, kTypes> kServices = {{
    {Type::cluster, "envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters"},
    {Type::endpoint, "envoy.service.endpoint.v3.EndpointDiscoveryService", "Endpoints"},
    {Type::secret, "envoy.service.secret.v3.SecretDiscoveryService", "Secrets"},
    {Type::listener, "envoy.service.listener.v3.ListenerDiscoveryService", "Listeners"},
    {Type::route, "envoy.service.route.v3.RouteDiscoveryService", "Routes"},
}};
constexpr std::string_view kAggregated = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";
constexpr std::size_t kMostUnknownTypes = 100;

}  // namespace

AdsServer::AdsServer(const net::ConnectionContext& context, net::Network& network, ResourceProvider& provider,
                     AdsOptions options)
    : loop_(context.loop), provider_(provider), options_(std::move(options)), server_(context, network, options_.grpc) {
  quiet_timer_.bind<&AdsServer::push>(this);
  most_timer_.bind<&AdsServer::push>(this);
  serve(std::string(kAggregated) + "StreamAggregatedResources", {.delta = false, .only = {}});
  serve(std::string(kAggregated) + "DeltaAggregatedResources", {.delta = true, .only = {}});
  for (const TypeService& service : kServices) {
    serve(fmt::format("/{}/Stream{}", service.service, service.noun), {.delta = false, .only = service.type});
    serve(fmt::format("/{}/Delta{}", service.service, service.noun), {.delta = true, .only = service.type});
  }
  provider_.on_change([this] { on_change(); });
}

AdsServer::~AdsServer() { provider_.on_change({}); }

void AdsServer::serve(std::string path, AdsStream::Kind kind) {
  server_.handle(std::move(path),
                 [this, kind](const grpc::Call& call, std::unique_ptr<grpc::Stream> stream) -> grpc::StreamEvents* {
                   const std::uint64_t id = next_id_++;
                   ++counters_.streams;
                   auto made = std::make_unique<AdsStream>(*this, id, kind, call.peer.to_string(), std::move(stream));
                   return streams_.emplace(id, std::move(made)).first->second.get();
                 });
}

void AdsServer::gone(AdsStream& stream) {
  if (auto node = streams_.extract(stream.id()); !node.empty()) {
    loop_.retire(std::move(node.mapped()));
  }
}

NodeResourcesPtr AdsServer::resources_for(const Node& node) {
  return provider_.ready() ? provider_.resources_for(node) : nullptr;
}

void AdsServer::log(const std::string& line) const {
  if (options_.log) {
    options_.log(line);
  }
}

void AdsServer::note_unknown_type(const Node& node, const std::string& type) {
  if (unknown_types_.size() < kMostUnknownTypes && unknown_types_.insert(type).second) {
    log(fmt::format("node {} asks for {}, which is not served here: it gets no answer", node.id, type));
  }
}

void AdsServer::on_change() {
  loop_.arm(quiet_timer_, options_.quiet);
  if (!most_timer_.armed()) {
    loop_.arm(most_timer_, options_.most);
  }
}

void AdsServer::push() {
  quiet_timer_.cancel();
  most_timer_.cancel();
  ++counters_.pushes;
  for (auto it = streams_.begin(); it != streams_.end();) {
    AdsStream& stream = *(it++)->second;  // it may leave
    stream.refresh();
  }
}

}  // namespace remora::control
