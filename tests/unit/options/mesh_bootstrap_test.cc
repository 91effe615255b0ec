#include "proxy/mesh_bootstrap.h"

#include <gmock/gmock.h>

namespace remora::proxy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(MeshBootstrap, SaysWhoThisIsAndWhereItIsAsked) {
  Options options;
  options.mesh_path = "mesh.yaml";
  options.service = "it's";
  EXPECT_THAT(mesh_bootstrap(options),
              AllOf(HasSubstr("node: {id: 'it''s', cluster: 'it''s'}"),
                    HasSubstr("address: '127.0.0.1', port_value: 15000"), Not(HasSubstr("dynamic_resources"))));
}

TEST(MeshBootstrap, AsksEveryControlPlane) {
  Options options;
  options.control = {"127.0.0.1:18000", "[::1]:18001"};
  options.service = "web";
  options.service_id = "web-1";
  options.consul = "127.0.0.1:8500";
  EXPECT_THAT(mesh_bootstrap(options),
              AllOf(HasSubstr("id: 'web-1', cluster: 'web', metadata: {remora: {consul: true, service_id: 'web-1'}}"),
                    HasSubstr("DELTA_GRPC"), HasSubstr("address: '127.0.0.1', port_value: 18000"),
                    HasSubstr("address: '::1', port_value: 18001")));
}

}  // namespace
}  // namespace remora::proxy
