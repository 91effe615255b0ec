#include "proxy/sources/snapshot_builder.h"

#include "tests/unit/sources/resources.h"

namespace remora::sources {
namespace {

using testing::eds_cluster;
using testing::endpoints;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::listener;
using testing::own_routes;
using testing::rds;
using testing::routes;
using ::testing::SizeIs;
using testing::static_cluster;
using testing::World;

constexpr auto kC = ResourceType::cluster;
constexpr auto kE = ResourceType::endpoint;
constexpr auto kL = ResourceType::listener;
constexpr auto kR = ResourceType::route;

std::uint16_t port_of(const std::shared_ptr<const model::Cluster>& cluster) {
  return cluster == nullptr || cluster->endpoints.empty() ? 0 : cluster->endpoints[0].address.port();
}
std::string target_of(const std::shared_ptr<const model::Listener>& listener) {
  const auto& route = listener->http().routes->virtual_hosts.at(0).routes.at(0);
  return std::get<model::RouteAction>(route.action).clusters.at(0).name;
}

TEST(SnapshotBuilder, PublishesTheStaticPartThenEachChangeOnce) {
  World world;
  ASSERT_THAT(world.published, SizeIs(1));
  EXPECT_EQ(port_of(world.find_cluster("control")), 18000);
  EXPECT_THAT(world.set(kC, {static_cluster("a")}), IsEmpty());
  EXPECT_THAT(world.set(kL, {listener("l", 8080, own_routes("a"))}), IsEmpty());
  ASSERT_THAT(world.published, SizeIs(3));
  EXPECT_EQ(target_of(world.find_listener("l")), "a");
  EXPECT_EQ(world.now().version, 3U);
  world.set(kC, {static_cluster("a")});  // the same again
  EXPECT_THAT(world.published, SizeIs(3));
}

TEST(SnapshotBuilder, WhatDidNotChangeKeepsItsPointer) {
  World world;
  world.set(kC, {static_cluster("a"), eds_cluster("b")});
  world.set(kE, {endpoints("b", 1)});
  world.set(kL, {listener("l", 8080, own_routes("a"))});
  const auto a = world.find_cluster("a");
  const auto b = world.find_cluster("b");
  const auto l = world.find_listener("l");
  world.set(kE, {endpoints("b", 2)});
  EXPECT_EQ(world.find_cluster("a"), a);
  EXPECT_EQ(world.find_listener("l"), l);
  EXPECT_NE(world.find_cluster("b"), b);
  EXPECT_EQ(port_of(world.find_cluster("b")), 2);
}

TEST(SnapshotBuilder, AnInvalidResourceIsRejectedByNameAndKeepsItsLastGoodVersion) {
  World world;
  world.set(kC, {static_cluster("a", 1), static_cluster("b", 1)});
  const std::string bad = testing::resource(testing::kCluster, "name: a, connect_timeout: 0s, lb_policy: RANDOM");
  const auto rejections = world.set(kC, {bad, static_cluster("b", 2)}, true);
  ASSERT_THAT(rejections, SizeIs(1));
  EXPECT_EQ(rejections[0].name, "a");
  EXPECT_EQ(rejections[0].reason, "connect_timeout: a duration longer than 0s is required");
  EXPECT_EQ(port_of(world.find_cluster("a")), 1);
  EXPECT_EQ(port_of(world.find_cluster("b")), 2);
  const TypeFacts facts = world.builder.facts(kC);
  EXPECT_EQ(facts.rejected_now, 1U);
  ASSERT_TRUE(facts.resources.at(0).failure);
  EXPECT_THAT(facts.resources.at(0).failure->reason, HasSubstr("connect_timeout"));
  world.set(kC, {static_cluster("a", 3)});
  EXPECT_EQ(world.builder.facts(kC).rejected_now, 0U);
  EXPECT_EQ(port_of(world.find_cluster("a")), 3);
}

TEST(SnapshotBuilder, ReasonsHavePathsInTheResource) {
  World world;
  world.set(kC, {static_cluster("a")});
  const auto rejections = world.set(kL, {listener("l", 8080, "route_config: {name: r, virtual_hosts: [{name: v}]}")});
  ASSERT_THAT(rejections, SizeIs(1));
  EXPECT_EQ(rejections[0].reason,
            "filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].domains: at least one domain is "
            "required; '*' is all");
}

TEST(SnapshotBuilder, GarbageIsRejectedAndNothingElseHappens) {
  World world;
  ResourceUpdate garbage;
  garbage.type = kC;
  garbage.set.push_back({"x", "1", {}});
  garbage.set.push_back({"", "1", {}});
  garbage.set.push_back({"y", "1", {}});
  garbage.set[2].body.set_type_url("type.googleapis.com/envoy.config.cluster.v3.Cluster");
  garbage.set[2].body.set_value("\xff\xff\xff");
  EXPECT_THAT(world.builder.apply(garbage), SizeIs(3));
  world.loop.settle();
  EXPECT_THAT(world.published, SizeIs(1));
  // A field that we do not know, on the wire: number 15 of Cluster.
  ResourceUpdate unknown = testing::update(kC, {static_cluster("a")});
  unknown.set[0].body.set_value(unknown.set[0].body.value() + "\x78\x01");
  const auto rejections = world.builder.apply(unknown);
  ASSERT_THAT(rejections, SizeIs(1));
  EXPECT_THAT(rejections[0].reason, HasSubstr("field number 15 of envoy.config.cluster.v3.Cluster is not supported"));
}

TEST(SnapshotBuilder, AClusterWarmsUntilItsEndpointsCome) {
  World world;
  world.set(kC, {eds_cluster("a")});
  EXPECT_EQ(world.find_cluster("a"), nullptr);
  EXPECT_FALSE(world.builder.settled());
  ASSERT_EQ(world.builder.wanted().size(), 1U);
  EXPECT_THAT(world.builder.wanted().begin()->second, ::testing::ElementsAre("a"));
  world.set(kE, {endpoints("a", 7)});
  EXPECT_EQ(port_of(world.find_cluster("a")), 7);
  EXPECT_TRUE(world.builder.settled());
  // A new version takes the endpoints that are known.
  world.set(kC, {eds_cluster("a", ", initial_fetch_timeout: 3s")});
  EXPECT_EQ(port_of(world.find_cluster("a")), 7);
}

TEST(SnapshotBuilder, AClusterWarmsNoLongerThanItsTimeout) {
  World world;
  world.set(kC, {eds_cluster("a", ", initial_fetch_timeout: 2s"), eds_cluster("b")});
  world.loop.advance(Seconds(3));
  ASSERT_NE(world.find_cluster("a"), nullptr);
  EXPECT_THAT(world.find_cluster("a")->endpoints, IsEmpty());
  EXPECT_EQ(world.find_cluster("b"), nullptr);
  world.loop.advance(Seconds(13));
  EXPECT_NE(world.find_cluster("b"), nullptr);
}

TEST(SnapshotBuilder, AListenerWaitsForItsRoutesAndRoutesForTheirClusters) {
  World world;
  world.set(kL, {listener("l", 8080, rds("r"))});
  world.set(kR, {routes("r", "a")});
  EXPECT_EQ(world.find_listener("l"), nullptr);
  EXPECT_EQ(world.builder.facts(kL).resources.at(0).waits_for, "routes 'r'");
  EXPECT_EQ(world.builder.facts(kR).resources.at(0).waits_for, "cluster 'a'");
  world.set(kC, {eds_cluster("a")});
  EXPECT_EQ(world.find_listener("l"), nullptr);
  world.set(kE, {endpoints("a", 7)});
  ASSERT_NE(world.find_listener("l"), nullptr);
  EXPECT_EQ(target_of(world.find_listener("l")), "a");
}

TEST(SnapshotBuilder, NewRoutesWaitForTheirClusterWhileTheOldOnesServe) {
  World world;
  world.set(kC, {static_cluster("a")}, true);
  world.set(kL, {listener("l", 8080, rds("r"))});
  world.set(kR, {routes("r", "a")});
  const auto before = world.find_listener("l");
  // The control plane swaps a for b: routes first, which is the wrong order.
  world.set(kR, {routes("r", "b")});
  EXPECT_EQ(world.find_listener("l"), before);
  world.loop.advance(Seconds(60));
  EXPECT_EQ(world.find_listener("l"), before);
  world.set(kC, {static_cluster("b")}, true);  // a is gone at the source
  EXPECT_EQ(target_of(world.find_listener("l")), "b");
  EXPECT_EQ(world.find_cluster("a"), nullptr);
}

TEST(SnapshotBuilder, ARemovedClusterLivesUntilNothingRefersToIt) {
  World world;
  world.set(kC, {static_cluster("a"), static_cluster("b")}, true);
  world.set(kL, {listener("l", 8080, rds("r"))});
  world.set(kR, {routes("r", "a")});
  world.set(kC, {static_cluster("b")}, true);
  EXPECT_NE(world.find_cluster("a"), nullptr);
  world.set(kR, {routes("r", "b")});
  EXPECT_EQ(world.find_cluster("a"), nullptr);
  world.remove(kL, {"l"});
  EXPECT_THAT(world.now().listeners, IsEmpty());
  world.remove(kC, {"b"});
  EXPECT_EQ(world.find_cluster("b"), nullptr);
  EXPECT_THAT(world.builder.facts(kR).resources, IsEmpty());  // nobody names them any more
}

TEST(SnapshotBuilder, RoutesThatNeverServedGoWithoutTheirClusterAfterAWhile) {
  World world;
  world.set(kL, {listener("l", 8080, rds("r"))});
  world.set(kR, {routes("r", "nowhere")});
  EXPECT_EQ(world.find_listener("l"), nullptr);
  world.loop.advance(Seconds(16));
  EXPECT_NE(world.find_listener("l"), nullptr);
}

TEST(SnapshotBuilder, RoutesMayNotWantToWait) {
  World world;
  world.set(kL, {listener("l", 8080, rds("r"))});
  world.set(kR, {routes("r", "nowhere", ", validate_clusters: false")});
  EXPECT_NE(world.find_listener("l"), nullptr);
}

TEST(SnapshotBuilder, AListenersNewVersionWaitsWhileTheOldOneServesItsRoutesChanging) {
  World world;
  world.set(kC, {static_cluster("a"), static_cluster("b")});
  world.set(kL, {listener("l", 8080, rds("one"))});
  world.set(kR, {routes("one", "a")});
  world.set(kL, {listener("l", 8080, rds("two"))});
  EXPECT_EQ(target_of(world.find_listener("l")), "a");
  world.set(kR, {routes("one", "b")});  // the old ones still change
  EXPECT_EQ(target_of(world.find_listener("l")), "b");
  world.set(kR, {routes("two", "a")});
  EXPECT_EQ(target_of(world.find_listener("l")), "a");
  EXPECT_EQ(world.find_listener("l")->http().routes->name, "two");
  EXPECT_THAT(world.builder.facts(kR).resources, SizeIs(1));
}

TEST(SnapshotBuilder, TwoListenersDoNotShareAnAddress) {
  World world;
  world.set(kC, {static_cluster("a")});
  const std::string inline_routes = own_routes("a");
  world.set(kL, {listener("one", 8080, inline_routes)}, true);
  const auto rejections = world.set(kL, {listener("two", 8080, inline_routes)});
  ASSERT_THAT(rejections, SizeIs(1));
  EXPECT_EQ(rejections[0].reason, "address: listener 'one' has 127.0.0.1:8080 already");
  EXPECT_THAT(world.set(kL, {listener("two", 8080, inline_routes)}, true), IsEmpty());  // in place of one
  EXPECT_NE(world.find_listener("two"), nullptr);
  EXPECT_EQ(world.find_listener("one"), nullptr);
}

TEST(SnapshotBuilder, EndpointsMayComeFromElsewhere) {
  World world;
  world.set(kC, {testing::resource(testing::kCluster,
                                   "name: a, cluster_type: {name: remora.clusters.consul, typed_config: {'@type': "
                                   "type.googleapis.com/remora.clusters.consul.v3.ConsulCluster, target: {service: "
                                   "web, tags: [v1]}}}")});
  EXPECT_EQ(world.find_cluster("a"), nullptr);
  const auto clusters = world.builder.clusters();
  ASSERT_THAT(clusters, SizeIs(2));
  EXPECT_EQ(std::get<model::ConsulDiscovery>(clusters[0]->discovery).targets.at(0).service, "web");
  model::Endpoint endpoint;
  endpoint.address = *Address::parse("10.0.0.1", 80);
  world.builder.set_endpoints("a", {endpoint});
  world.loop.settle();
  EXPECT_EQ(port_of(world.find_cluster("a")), 80);
  const std::size_t count = world.published.size();
  world.builder.set_endpoints("a", {endpoint});
  world.loop.settle();
  EXPECT_EQ(world.published.size(), count);
}

const std::string kByName = testing::resource(
    testing::kCluster,
    "name: a, type: STRICT_DNS, load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [{endpoint: {address: "
    "{socket_address: {address: api.test, port_value: 80}}}}, {endpoint: {address: {socket_address: {address: "
    "10.9.9.9, port_value: 81}}}}]}]}");

model::Endpoint endpoint_at(std::uint16_t port) {
  model::Endpoint endpoint;
  endpoint.address = *Address::parse("10.0.0.1", port);
  return endpoint;
}

TEST(SnapshotBuilder, WhatANameIsFoundToBeJoinsTheAddressesBesideIt) {
  World world;
  world.set(kC, {kByName});
  EXPECT_EQ(world.find_cluster("a"), nullptr);
  EXPECT_TRUE(world.builder.warming("a"));
  world.builder.set_endpoints("a", {endpoint_at(80)});
  world.loop.settle();
  ASSERT_THAT(world.find_cluster("a")->endpoints, SizeIs(2));
  EXPECT_EQ(world.find_cluster("a")->endpoints[0].address.to_string(), "10.9.9.9:81");
  EXPECT_EQ(world.find_cluster("a")->endpoints[1].address.to_string(), "10.0.0.1:80");
  EXPECT_FALSE(world.builder.warming("a"));
  // It becomes static: nothing of what was found stays.
  world.set(kC, {static_cluster("a", 7)});
  EXPECT_THAT(world.find_cluster("a")->endpoints, SizeIs(1));
}

TEST(SnapshotBuilder, ANameThatIsNotFoundEndsTheWarmingAndSaysWhy) {
  World world;
  world.set(kC, {testing::resource(testing::kCluster,
                                   "name: a, type: STRICT_DNS, load_assignment: {cluster_name: a, endpoints: "
                                   "[{lb_endpoints: [{endpoint: {address: {socket_address: {address: api.test, "
                                   "port_value: 80}}}}]}]}")});
  world.builder.set_not_found("a", "'api.test': timeout");
  world.loop.settle();
  ASSERT_NE(world.find_cluster("a"), nullptr);
  EXPECT_THAT(world.find_cluster("a")->endpoints, IsEmpty());
  EXPECT_EQ(world.find_cluster("a")->why_empty, "'api.test': timeout");
  EXPECT_TRUE(world.builder.settled());
  world.builder.set_endpoints("a", {endpoint_at(80)});
  world.loop.settle();
  EXPECT_EQ(world.find_cluster("a")->why_empty, "");
  world.builder.set_not_found("a", "'api.test': timeout");  // what was found stays
  world.loop.settle();
  EXPECT_THAT(world.find_cluster("a")->endpoints, SizeIs(1));
}

TEST(SnapshotBuilder, WhatWasFoundInAnEarlierLifeServesWhereNothingIsFoundNow) {
  World world;
  world.builder.set_fallback({{"a", {endpoint_at(80)}}});
  world.set(kC, {kByName});
  EXPECT_EQ(world.find_cluster("a"), nullptr);
  EXPECT_TRUE(world.builder.has_fallback("a"));
  EXPECT_FALSE(world.builder.has_fallback("b"));
  world.builder.set_not_found("a", "'api.test': timeout");
  world.loop.settle();
  ASSERT_THAT(world.find_cluster("a")->endpoints, SizeIs(2));
  EXPECT_EQ(world.builder.discovered().at("a")->endpoints.size(), 1U) << "and is kept for the next";
  world.builder.set_endpoints("a", {});  // DNS answers: there is no such name
  EXPECT_FALSE(world.builder.has_fallback("a"));
  world.loop.settle();
  EXPECT_THAT(world.find_cluster("a")->endpoints, SizeIs(1));
}

TEST(SnapshotBuilder, AnEndpointThatWaitsInVainServesWithoutAny) {
  World world;
  world.set(kC, {kByName});
  world.loop.advance(Seconds(16));
  ASSERT_NE(world.find_cluster("a"), nullptr);
  EXPECT_THAT(world.find_cluster("a")->endpoints, SizeIs(1));
}

TEST(SnapshotBuilder, WhatIsHeldComesAtOnce) {
  World world;
  world.builder.hold(true);
  world.set(kC, {static_cluster("a")});
  world.set(kL, {listener("l", 8080, own_routes("a"))});
  EXPECT_THAT(world.published, SizeIs(1));
  world.builder.hold(false);
  world.loop.settle();
  EXPECT_THAT(world.published, SizeIs(2));
  EXPECT_NE(world.find_listener("l"), nullptr);
}

}  // namespace
}  // namespace remora::sources
