#include "control/server/footprint.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace remora::control {
namespace {

using catalog::Catalog;

void put_service(Catalog& mesh, const std::string& name, const std::vector<std::string>& upstreams = {}) {
  catalog::Service service;
  service.name = service.id = name;
  if (!upstreams.empty()) {
    service.sidecar.emplace();
    for (const std::string& upstream : upstreams) {
      catalog::Upstream to;
      to.destination_name = upstream;
      service.sidecar->proxy.upstreams.push_back(to);
    }
  }
  mesh.services[name] = std::make_shared<catalog::Instances>(catalog::Instances{service});
}

// web calls api; api's router leads to v2, its splitter to canary, canary's resolver fails over to backup, and v2's
// routes mirror to shadow.
Catalog mesh() {
  Catalog mesh;
  mesh.proxy_defaults = std::make_shared<catalog::ProxyDefaults>();
  put_service(mesh, "web", {"api"});
  for (const char* name : {"api", "v2", "canary", "backup", "shadow", "other"}) {
    put_service(mesh, name);
  }
  catalog::ServiceRouter router;
  router.routes.emplace_back();
  router.routes.back().destination.service = "v2";
  router.routes.back().extensions.request_mirror_policies.emplace().emplace_back().service = "shadow";
  mesh.routers["api"] = std::make_shared<catalog::ServiceRouter>(router);
  catalog::ServiceSplitter splitter;
  splitter.splits.emplace_back();
  splitter.splits.back().service = "canary";
  mesh.splitters["api"] = std::make_shared<catalog::ServiceSplitter>(splitter);
  catalog::ServiceResolver resolver;
  resolver.failover["*"].targets.emplace_back().service = "backup";
  mesh.resolvers["canary"] = std::make_shared<catalog::ServiceResolver>(resolver);
  return mesh;
}

TEST(Footprint, FollowsEveryServiceThatMayBeReached) {
  const Catalog before = mesh();
  const Footprint web(before, "web");
  EXPECT_EQ(web, Footprint(before, "web"));
  for (const std::string changed : {"web", "api", "v2", "canary", "backup", "shadow"}) {
    Catalog after = before;
    put_service(after, changed, changed == "web" ? std::vector<std::string>{"api"} : std::vector<std::string>());
    EXPECT_NE(web, Footprint(after, "web")) << changed;
  }
  Catalog after = before;
  put_service(after, "other");
  put_service(after, "brand-new");
  EXPECT_EQ(web, Footprint(after, "web"));
}

TEST(Footprint, SeesWhatAppearsAndWhatGoesAndWhatHoldsForAll) {
  const Catalog before = mesh();
  const Footprint web(before, "web");
  Catalog after = before;
  after.service_defaults["backup"] = std::make_shared<catalog::ServiceDefaults>();
  EXPECT_NE(web, Footprint(after, "web"));
  after = before;
  after.services.erase("v2");
  EXPECT_NE(web, Footprint(after, "web"));
  after = before;
  after.proxy_defaults = std::make_shared<catalog::ProxyDefaults>();
  EXPECT_NE(web, Footprint(after, "web"));
  after = before;
  after.intentions["*"] = std::make_shared<catalog::ServiceIntentions>();
  EXPECT_NE(web, Footprint(after, "web"));
  after = before;
  after.allow_by_default = false;
  EXPECT_NE(web, Footprint(after, "web"));
}

}  // namespace
}  // namespace remora::control
