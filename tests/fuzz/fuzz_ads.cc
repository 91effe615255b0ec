// Discovery requests from anywhere, to streams of an ADS server whose mesh changes meanwhile: no crash, and what is
// sent parses. The input is a list of messages, each behind its length and a byte that says what happens before it.
#include <google/protobuf/stubs/logging.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "control/server/ads_server.h"
#include "core/base/arena.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_network.h"

namespace {

using namespace remora;
using namespace remora::control;

class Provider final : public ResourceProvider {
 public:
  NodeResourcesPtr resources_for(const Node&) override { return current_; }
  void on_change(std::function<void()> changed) override { changed_ = std::move(changed); }
  void turn(unsigned step) {
    auto made = std::make_shared<NodeResources>();
    for (const Type type : kAllTypes) {
      ResourceSet::ByName by_name;
      for (const char* name : {"a", "b", "c"}) {
        if ((step >> (name[0] - 'a') & 1) != 0) {
          by_name.emplace(name, pool_.share(type, std::string(1, static_cast<char>(step & 15)), name));
        }
      }
      made->of(type) = std::make_shared<const ResourceSet>(std::move(by_name));
    }
    current_ = made;
    if (changed_) {
      changed_();
    }
  }

 private:
  ResourcePool pool_;
  NodeResourcesPtr current_ = std::make_shared<NodeResources>();
  std::function<void()> changed_;
};

// Takes what is sent, and reads it.
class Sink final : public grpc::Stream {
 public:
  explicit Sink(bool delta) : delta_(delta) {}
  void send(std::string_view message) override {
    const int size = static_cast<int>(message.size());
    envoy::service::discovery::v3::DiscoveryResponse whole;
    envoy::service::discovery::v3::DeltaDiscoveryResponse part;
    if (!(delta_ ? part.ParseFromArray(message.data(), size) : whole.ParseFromArray(message.data(), size))) {
      std::abort();
    }
  }
  void finish(const grpc::Status&) override {}
  std::size_t queued_bytes() const override { return 0; }

 private:
  const bool delta_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const google::protobuf::LogSilencer kSilence;
  if (size == 0) {
    return 0;
  }
  const AdsStream::Kind kind = {
      .delta = (data[0] & 1) != 0,
      .only = (data[0] & 2) != 0 ? std::optional(kAllTypes[(data[0] >> 2) % kTypes]) : std::nullopt};
  sim::SimLoop loop(1);
  sim::SimNetwork network(loop, 1);
  BlockPool blocks;
  std::array<char, 64> scratch{};
  Provider provider;
  provider.turn(1);
  AdsServer server({loop, blocks, scratch}, network, provider);
  auto stream = std::make_unique<AdsStream>(server, 1, kind, "fuzz", std::make_unique<Sink>(kind.delta));
  grpc::StreamEvents& events = *stream;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  while (rest.size() >= 2) {
    const auto step = static_cast<unsigned char>(rest[0]);
    const std::size_t length = std::min<std::size_t>(static_cast<unsigned char>(rest[1]), rest.size() - 2);
    if ((step & 128) != 0) {
      provider.turn(step);
      stream->refresh();
    }
    events.on_message(rest.substr(2, length));
    rest.remove_prefix(2 + length);
    loop.advance(Milliseconds(1));
  }
  return 0;
}
