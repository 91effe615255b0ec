#include "control/server/mesh_provider.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

namespace remora::control {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// api with these instances, each with a sidecar at a port of its own.
catalog::CatalogPtr mesh(const std::vector<std::string>& ids) {
  auto made = std::make_shared<catalog::Catalog>();
  catalog::Instances instances;
  for (const std::string& id : ids) {
    catalog::Service service;
    service.name = "api";
    service.id = id;
    service.port = 80;
    service.sidecar.emplace().port = static_cast<std::uint16_t>(20000 + id.back());
    instances.push_back(std::move(service));
  }
  if (!instances.empty()) {
    made->services["api"] = std::make_shared<catalog::Instances>(std::move(instances));
  }
  return made;
}

Node node(const std::string& id, const std::string& metadata = "") {
  Node made;
  made.id = id;
  made.service = "api";
  made.metadata = metadata;
  return made;
}

class MeshProviderTest : public ::testing::Test {
 protected:
  std::uint64_t listeners_of(const Node& node) { return provider_.resources_for(node)->of(Type::listener)->version(); }
  MeshProvider provider_;
};

class GoneInstanceTest : public MeshProviderTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(GoneInstanceTest, ItsNodeKeepsWhatItHad) {
  provider_.set_catalog(mesh({"api-1", "api-2"}));
  const Node first = node("api-1"), second = node("api-2", GetParam());
  const std::uint64_t of_first = listeners_of(first), of_second = listeners_of(second);
  EXPECT_NE(of_first, of_second);
  for (const auto& left : {mesh({"api-1"}), mesh({})}) {
    provider_.set_catalog(left);
    EXPECT_EQ(listeners_of(second), of_second);
    EXPECT_THAT(provider_.resources_for(second)->problem, HasSubstr("'api-2' any more"));
  }
  provider_.set_catalog(mesh({"api-2"}));
  EXPECT_EQ(listeners_of(second), of_second);
  EXPECT_THAT(provider_.resources_for(second)->problem, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(ByNameOrMetadata, GoneInstanceTest,
                         ::testing::Values("", R"({"remora": {"service_id": "api-2"}})"));

TEST_F(MeshProviderTest, ANodeThatIsNoInstanceIsTheFirst) {
  provider_.set_catalog(mesh({"api-1", "api-2"}));
  EXPECT_EQ(listeners_of(node("somebody")), listeners_of(node("api-1")));
}

TEST_F(MeshProviderTest, ANodeThatSaysWhichInstanceItIsIsNoOther) {
  provider_.set_catalog(mesh({"api-1"}));
  const auto resources = provider_.resources_for(node("x", R"({"remora": {"service_id": "api-2"}})"));
  EXPECT_THAT(resources->of(Type::listener)->all(), SizeIs(0));
  EXPECT_THAT(resources->problem, HasSubstr("has no instance 'api-2'"));
}

// ---- out of a Consul, of which not all is known at once

catalog::CatalogPtr part_of_mesh(const std::vector<std::string>& ids, bool heard) {
  auto made = std::make_shared<catalog::Catalog>(*mesh(ids));
  made->complete = false;
  if (heard) {
    made->heard.insert("api");
  }
  return made;
}

TEST_F(MeshProviderTest, NothingIsSentBeforeTheInstancesAreKnown) {
  provider_.set_catalog(part_of_mesh({}, false));
  EXPECT_EQ(provider_.resources_for(node("api-1")), nullptr);
  EXPECT_THAT(provider_.wanted(), testing::Contains("api"));
  provider_.set_catalog(part_of_mesh({"api-1"}, true));
  const NodeResourcesPtr known = provider_.resources_for(node("api-1"));
  ASSERT_NE(known, nullptr);
  EXPECT_FALSE(known->withheld);
  EXPECT_FALSE(known->of(Type::listener)->all().empty());
}

TEST_F(MeshProviderTest, WhoeverIsNotThereYetKeepsWhatItHas) {
  for (int times = 0; times < 2; ++times) {
    provider_.set_catalog(part_of_mesh({}, true));
    const NodeResourcesPtr nobody = provider_.resources_for(node("api-1"));
    ASSERT_NE(nobody, nullptr);
    EXPECT_TRUE(nobody->withheld);
    EXPECT_THAT(nobody->problem, HasSubstr("api"));
  }
  provider_.set_catalog(part_of_mesh({"api-1"}, true));
  EXPECT_FALSE(provider_.resources_for(node("api-1"))->withheld);
}

}  // namespace
}  // namespace remora::control
