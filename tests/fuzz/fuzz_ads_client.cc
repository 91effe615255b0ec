// Discovery messages from a server that is broken or hostile: whatever comes, the builder's snapshots stay whole.
// Byte 0 chooses the protocol (even: delta, odd: state of the world); then messages, each after its length in two
// bytes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/sources/snapshot_builder.h"
#include "proxy/sources/xds_protocol.h"
#include "tests/sim/sim_loop.h"

namespace {

using namespace remora;
using sources::ResourceType;

constexpr std::string_view kBootstrap = R"(
dynamic_resources:
  ads_config:
    api_type: GRPC
    transport_api_version: V3
    grpc_services: [{envoy_grpc: {cluster_name: control}}]
  cds_config: {ads: {}}
  lds_config: {ads: {}}
static_resources: {clusters: [{name: control}]}
)";

const xds::Bootstrap& bootstrap() {
  static const xds::Bootstrap kRead = *xds::read_bootstrap(kBootstrap, "b.yaml", {});
  return kRead;
}

// All that a worker would look up without asking whether it is there.
void check(const model::Snapshot& snapshot) {
  for (const auto& listener : snapshot.listeners) {
    if (listener->tcp() == nullptr && listener->http().routes == nullptr) {
      std::abort();
    }
  }
  for (const std::string& name : snapshot.cluster_order) {
    if (snapshot.clusters.at(name) == nullptr) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) {
    return 0;
  }
  sim::SimLoop loop(1);
  sources::SnapshotBuilder builder(
      loop, bootstrap(), {.publish = [](const auto& snapshot) { check(*snapshot); }, .references_changed = {}});
  const auto protocol =
      input[0] % 2 == 0 ? sources::make_delta_protocol({"", true}) : sources::make_sotw_protocol({"", true});
  protocol->want_all(ResourceType::cluster);
  protocol->want_all(ResourceType::listener);
  protocol->want(ResourceType::endpoint, {"a"});
  protocol->want(ResourceType::route, {"r"});
  protocol->take_requests();
  input.remove_prefix(1);
  while (input.size() > 2) {
    const std::size_t length = static_cast<unsigned char>(input[0]) * 256U + static_cast<unsigned char>(input[1]);
    const std::string_view message = input.substr(2, length);
    input.remove_prefix(2 + message.size());
    if (auto update = protocol->receive(message); update && *update) {
      protocol->answer(**update, builder.apply(**update));
    }
    loop.settle();
    protocol->take_requests();
  }
  loop.advance(Seconds(20));
  return 0;
}
