#include "control/server/ads_server.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/base/arena.h"
#include "core/grpc/channel.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_network.h"

namespace remora::control {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;

class FakeProvider final : public ResourceProvider {
 public:
  NodeResourcesPtr resources_for(const Node&) override { return current_; }
  void on_change(std::function<void()> changed) override { changed_ = std::move(changed); }
  bool ready() const override { return ready_; }

  FakeProvider& set(Type type, const std::string& name, std::string_view value, std::string endpoints_name = {}) {
    next_[static_cast<std::size_t>(type)][name] = pool_.share(type, value, std::move(endpoints_name));
    return *this;
  }
  FakeProvider& erase(Type type, const std::string& name) {
    next_[static_cast<std::size_t>(type)].erase(name);
    return *this;
  }
  void commit() {
    auto made = std::make_shared<NodeResources>();
    for (const Type type : kAllTypes) {
      made->of(type) = std::make_shared<const ResourceSet>(next_[static_cast<std::size_t>(type)]);
    }
    current_ = made;
    ready_ = true;
    if (changed_) {
      changed_();
    }
  }

 private:
  ResourcePool pool_;
  std::array<ResourceSet::ByName, kTypes> next_;
  NodeResourcesPtr current_ = std::make_shared<NodeResources>();
  std::function<void()> changed_;
  bool ready_ = false;
};

struct Client final : grpc::StreamEvents {
  struct Heard {
    std::string type;  // "Cluster"
    std::vector<std::string> names;
    std::vector<std::string> removed;
    friend bool operator==(const Heard&, const Heard&) = default;
  };
  std::unique_ptr<grpc::Stream> stream;
  std::vector<Heard> heard;
  bool closed = false;
  bool named = false;

  void on_message(std::string_view message) override {
    DeltaDiscoveryResponse response;
    ASSERT_TRUE(response.ParseFromArray(message.data(), static_cast<int>(message.size())));
    Heard& now = heard.emplace_back();
    now.type = response.type_url().substr(response.type_url().rfind('.') + 1);
    for (const auto& resource : response.resources()) {
      now.names.push_back(resource.name());
    }
    now.removed.assign(response.removed_resources().begin(), response.removed_resources().end());
  }
  void on_closed(const grpc::Status&) override { closed = true; }

  void ask(Type type, const std::vector<std::string>& names) {
    DeltaDiscoveryRequest request;
    if (!std::exchange(named, true)) {
      request.mutable_node()->set_id("n");
    }
    request.set_type_url(std::string(type_url(type)));
    for (const std::string& name : names) {
      request.add_resource_names_subscribe(name);
    }
    stream->send(request.SerializeAsString());
  }
};

struct World {
  sim::SimLoop loop{1};
  sim::SimNetwork network{loop, 1};
  BlockPool blocks;
  std::array<char, 65536> scratch;
  net::ConnectionContext context{loop, blocks, scratch};
  const Address address = Address::parse("10.0.0.1", 18000).value();
  FakeProvider provider;
  AdsServer server{context, network, provider};
  grpc::Channel channel{context, network, address};
  Client client;

  World() { EXPECT_TRUE(server.listen(address)); }
  void open() {
    client.stream =
        channel.open("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", {}, client);
  }
  void run(Nanoseconds time = Milliseconds(50)) { loop.advance(time); }
  std::vector<Client::Heard> take() { return std::exchange(client.heard, {}); }
};

using Heard = std::vector<Client::Heard>;

TEST(AdsServer, StreamsWaitUntilThereIsAMesh) {
  World world;
  world.open();
  world.client.ask(Type::cluster, {});
  world.run(Seconds(1));
  EXPECT_EQ(world.take(), Heard());
  world.provider.set(Type::cluster, "a", "1").commit();
  world.run();
  EXPECT_EQ(world.take(), (Heard{{"Cluster", {"a"}, {}}}));
}

TEST(AdsServer, ChangesArePushedWhenTheyCeaseOrAfterAWhile) {
  World world;
  world.provider.commit();
  world.open();
  world.client.ask(Type::cluster, {});
  world.run();
  world.take();
  const auto pushes = [&] { return std::exchange(world.server.counters().pushes, 0); };
  pushes();
  world.provider.set(Type::cluster, "a", "1").commit();
  world.run(Milliseconds(8));
  EXPECT_EQ(pushes(), 0u);
  world.run(Milliseconds(4));
  EXPECT_EQ(pushes(), 1u);
  for (int i = 0; i < 60; ++i) {  // 300 ms without quiet
    world.provider.set(Type::cluster, "a", std::to_string(i)).commit();
    world.run(Milliseconds(5));
  }
  world.run(Milliseconds(100));
  const std::uint64_t made = pushes();
  EXPECT_GE(made, 3u);
  EXPECT_LE(made, 5u);
}

TEST(AdsServer, WhatUsesANewClusterWaitsForItsEndpointsAtMostFiveSeconds) {
  World world;
  world.provider.commit();
  world.open();
  world.client.ask(Type::cluster, {});
  world.client.ask(Type::route, {"r"});
  world.run();
  world.take();
  world.provider.set(Type::cluster, "a", "1", "a").set(Type::endpoint, "a", "1").set(Type::route, "r", "1").commit();
  world.run();
  EXPECT_EQ(world.take(), (Heard{{"Cluster", {"a"}, {}}}));
  world.client.ask(Type::endpoint, {"a"});
  world.run();
  EXPECT_EQ(world.take(), (Heard{{"ClusterLoadAssignment", {"a"}, {}}, {"RouteConfiguration", {"r"}, {}}}));

  world.provider.set(Type::cluster, "b", "1", "b").set(Type::route, "r", "2").commit();
  world.run(Seconds(4));
  EXPECT_EQ(world.take(), (Heard{{"Cluster", {"b"}, {}}}));
  world.run(Seconds(2));
  EXPECT_EQ(world.take(), (Heard{{"RouteConfiguration", {"r"}, {}}}));
}

TEST(AdsServer, AChangedClusterBringsItsEndpointsAgain) {
  World world;
  world.provider.set(Type::cluster, "a", "1", "a-eds").set(Type::endpoint, "a-eds", "1").commit();
  world.open();
  world.client.ask(Type::cluster, {});
  world.client.ask(Type::endpoint, {"a-eds"});
  world.run();
  world.take();
  world.provider.set(Type::cluster, "a", "2", "a-eds").commit();
  world.run();
  EXPECT_EQ(world.take(), (Heard{{"Cluster", {"a"}, {}}, {"ClusterLoadAssignment", {"a-eds"}, {}}}));
}

TEST(AdsServer, AClientThatDoesNotReadCostsLittleAndGetsTheLatest) {
  World world;
  world.network.weather.window = 16 * 1024;
  world.network.weather.latency = Milliseconds(500);
  const std::string big(20'000, 'x');
  for (int i = 0; i < 10; ++i) {
    world.provider.set(Type::cluster, "c" + std::to_string(i), big);
  }
  world.provider.commit();
  world.open();
  world.client.ask(Type::cluster, {});
  world.run(Seconds(3));
  const std::uint64_t before = world.server.counters().responses;
  for (int round = 0; round < 200; ++round) {
    world.provider.set(Type::cluster, "c0", big + std::to_string(round)).commit();
    world.run(Milliseconds(12));
  }
  EXPECT_LT(world.server.counters().responses - before, 60u);  // not one for each change
  world.run(Seconds(600));
  EXPECT_FALSE(world.client.closed);
  world.take();
  world.provider.set(Type::cluster, "last", "1").commit();
  world.run(Seconds(60));
  EXPECT_EQ(world.take(), (Heard{{"Cluster", {"last"}, {}}}));
}

TEST(AdsServer, StreamsThatEndAreForgotten) {
  World world;
  world.provider.commit();
  world.open();
  world.client.ask(Type::cluster, {});
  world.run();
  EXPECT_EQ(world.server.streams().size(), 1u);
  world.client.stream.reset();
  world.run();
  EXPECT_EQ(world.server.streams().size(), 0u);
  world.provider.set(Type::cluster, "a", "1").commit();
  world.run();
}

}  // namespace
}  // namespace remora::control
