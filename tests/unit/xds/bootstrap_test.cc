// The bootstrap as a whole: a file becomes a Snapshot, or a list of everything that is wrong with it.
#include "tests/unit/xds/load.h"

namespace remora::xds::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Bootstrap, ReadsTheSmallestUsefulFile) {
  const Loaded snapshot = load(Parts{});
  ASSERT_TRUE(snapshot);
  ASSERT_EQ(snapshot->listeners.size(), 1U);
  const model::Listener& listener = *snapshot->listeners[0];
  EXPECT_EQ(listener.name, "in");
  EXPECT_EQ(listener.address.to_string(), "127.0.0.1:8080");
  EXPECT_EQ(listener.http().stat_prefix, "in");
  ASSERT_TRUE(listener.http().routes);
  ASSERT_EQ(listener.http().routes->virtual_hosts.size(), 1U);
  const model::VirtualHost& host = listener.http().routes->virtual_hosts[0];
  EXPECT_THAT(host.domains, ElementsAre("*"));
  ASSERT_EQ(host.routes.size(), 1U);
  EXPECT_EQ(host.routes[0].match.path.text, "/");
  const auto& action = std::get<model::RouteAction>(host.routes[0].action);
  ASSERT_EQ(action.clusters.size(), 1U);
  EXPECT_EQ(action.clusters[0].name, "a");
  EXPECT_EQ(action.total_weight, 1U);
  EXPECT_THAT(snapshot->cluster_order, ElementsAre("a"));
  ASSERT_EQ(snapshot->clusters.at("a")->endpoints.size(), 1U);
  EXPECT_EQ(snapshot->clusters.at("a")->endpoints[0].address.to_string(), "127.0.0.1:9000");
}

TEST(Bootstrap, ReadsJsonToo) {
  const Loaded snapshot = load(R"({"node": {"id": "n", "cluster": "c"},
    "admin": {"address": {"socketAddress": {"address": "::1", "portValue": "9901"}}}})");
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->node.id, "n");
  ASSERT_TRUE(snapshot->admin);
  EXPECT_EQ(snapshot->admin->address.to_string(), "[::1]:9901");
}

TEST(Bootstrap, AnEmptyFileIsAnEmptySnapshot) {
  const Loaded snapshot = load(std::string());
  ASSERT_TRUE(snapshot);
  EXPECT_THAT(snapshot->listeners, IsEmpty());
  EXPECT_FALSE(snapshot->admin);
  EXPECT_EQ(*snapshot->bootstrap_json, "{}");
}

TEST(Bootstrap, TheCommandLineNamesTheNode) {
  Parts parts;
  parts.top = "node: {id: n1, cluster: c, locality: {zone: z}}";
  EXPECT_EQ(load(parts)->node.zone, "z");
  EXPECT_EQ(load(parts)->listeners[0]->service, "c");
  LoadOptions options;
  options.service_node = "n2";
  options.service_cluster = "c2";
  const Loaded snapshot = load(parts, options);
  EXPECT_EQ(snapshot->node.id, "n2");
  EXPECT_EQ(snapshot->node.cluster, "c2");
  EXPECT_EQ(snapshot->listeners[0]->service, "c2");
}

}  // namespace
}  // namespace remora::xds::testing
