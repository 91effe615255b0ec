// Chains that Consul would not compile, and shares of shares.
#include "control/translate/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/translate/access.h"
#include "control/translate/members.h"
#include "control/translate/translate.h"

namespace remora::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A mesh by hand: what a file's rules would refuse may come from Consul all the same.
struct Chains : testing::Test {
  catalog::Catalog catalog;

  Chains() {
    auto defaults = std::make_shared<catalog::ProxyDefaults>();
    defaults->config.protocol = "http";
    catalog.proxy_defaults = defaults;
  }
  void split(const std::string& name, std::vector<catalog::Split> splits) {
    auto entry = std::make_shared<catalog::ServiceSplitter>();
    entry->head.name = name;
    entry->splits = std::move(splits);
    catalog.splitters[name] = entry;
  }
  static catalog::Split share(std::uint32_t weight, const std::string& service, const std::string& subset = {}) {
    catalog::Split result;
    result.weight = weight;
    result.service = service;
    result.service_subset = subset;
    return result;
  }
  void resolve(const std::string& name, const std::function<void(catalog::ServiceResolver&)>& write) {
    auto entry = std::make_shared<catalog::ServiceResolver>();
    entry->head.name = name;
    write(*entry);
    catalog.resolvers[name] = entry;
  }
  std::vector<std::string> shares(const std::string& service) {
    const Chain chain = compile_chain(catalog, service);
    std::vector<std::string> result;
    for (const Share& one : chain.routes.back().shares) {
      result.push_back(std::to_string(one.weight) + " " + one.destination.target.name());
    }
    return result;
  }
  std::string problem(const std::string& service) {
    const Chain chain = compile_chain(catalog, service);
    EXPECT_EQ(chain.broken(), !chain.problems.empty());
    return chain.problems.empty() ? "" : chain.problems.front().message;
  }
};

TEST_F(Chains, WithoutEntriesAServiceIsItself) {
  EXPECT_THAT(shares("api"), ElementsAre("10000 api"));
  EXPECT_EQ(problem("api"), "");
}

TEST_F(Chains, SharesOfSharesAddUp) {
  split("api", {share(5000, ""), share(5000, "b")});
  split("b", {share(3333, ""), share(3333, "c"), share(3334, "d")});
  EXPECT_THAT(shares("api"), ElementsAre("5000 api", "1667 b", "1666 c", "1667 d"));
}

TEST_F(Chains, ACallerMaySpeakAnotherProtocol) {
  split("api", {share(5000, ""), share(5000, "b")});
  const Chain bytes = compile_chain(catalog, "api", {}, "tcp");
  EXPECT_EQ(bytes.protocol, catalog::Protocol::tcp);
  EXPECT_FALSE(bytes.broken());
  ASSERT_EQ(bytes.routes.size(), 1U);
  EXPECT_EQ(bytes.routes[0].splitter, nullptr) << "nobody reads requests";
  const Chain streams = compile_chain(catalog, "api", {}, "http2");
  EXPECT_EQ(streams.protocol, catalog::Protocol::http2);
  EXPECT_EQ(streams.routes.back().shares.size(), 2U);
  EXPECT_FALSE(streams.broken());
}

TEST_F(Chains, CirclesAreFound) {
  split("api", {share(10'000, "b")});
  split("b", {share(10'000, "api")});
  EXPECT_THAT(problem("api"), HasSubstr("the splitters of api, b and api lead to each other"));
  resolve("x", [](auto& entry) { entry.redirect = catalog::Redirect{{}, "y", "", ""}; });
  resolve("y", [](auto& entry) { entry.redirect = catalog::Redirect{{}, "x", "", ""}; });
  EXPECT_EQ(problem("x"), "redirects lead back to 'x'");
}

TEST_F(Chains, ASubsetMustExist) {
  split("api", {share(10'000, "", "v9")});
  EXPECT_EQ(problem("api"), "service 'api' has no subset 'v9': no service-resolver gives it any");
  resolve("api", [](auto& entry) { entry.subsets["v1"] = {}; });
  EXPECT_EQ(problem("api"), "service 'api' has no subset 'v9': it has 'v1'");
}

TEST_F(Chains, OneProtocolIsNeeded) {
  auto defaults = std::make_shared<catalog::ServiceDefaults>();
  defaults->protocol = "tcp";
  catalog.service_defaults["db"] = defaults;
  split("api", {share(10'000, "db")});
  EXPECT_THAT(problem("api"), HasSubstr("'db' is tcp, and 'api', which leads to it, is http"));
}

TEST_F(Chains, RedirectsAndFailoverAcrossDatacenters) {
  resolve("api", [](auto& entry) {
    entry.default_subset = "v1";
    entry.subsets["v1"] = {};
    entry.failover["*"].datacenters = {"dc1", "dc2", "dc3"};
  });
  resolve("old", [](auto& entry) { entry.redirect = catalog::Redirect{{}, "api", "", "dc2"}; });
  const Chain own = compile_chain(catalog, "api");
  const Destination& here = own.routes.back().shares.at(0).destination;
  EXPECT_EQ(here.target.name(), "api/v1");
  ASSERT_EQ(here.failover.size(), 2U) << "its own datacenter is none to fail over to";
  EXPECT_EQ(here.failover[0].name(), "api/v1@dc2");
  EXPECT_EQ(here.failover[1].name(), "api/v1@dc3");
  EXPECT_THAT(shares("old"), ElementsAre("10000 api/v1@dc2"));
  EXPECT_EQ(compile_chain(catalog, "old", "dc3").routes.back().shares.at(0).destination.target.name(), "api/v1@dc2");
  EXPECT_EQ(compile_chain(catalog, "web", "dc3").routes.back().shares.at(0).destination.target.name(), "web@dc3");
  EXPECT_EQ(compile_chain(catalog, "web", "dc1").routes.back().shares.at(0).destination.target.name(), "web");
}

TEST_F(Chains, ABrokenChainAnswersWithItsReason) {
  split("api", {share(10'000, "", "v9")});
  catalog::Service web;
  web.name = web.id = "web";
  web.sidecar.emplace();
  web.sidecar->port = 21000;
  catalog::Upstream upstream;
  upstream.destination_name = "api";
  upstream.local_bind_port = 9191;
  web.sidecar->proxy.upstreams.push_back(upstream);
  catalog.services["web"] = std::make_shared<catalog::Instances>(catalog::Instances{web});
  const Resources resources = translate(catalog, {.service = "web"});
  EXPECT_TRUE(resources.has_errors());
  EXPECT_THAT(json_of(*resources.routes.at("outbound/api")), HasSubstr("service 'api' has no subset 'v9'"));
}

TEST_F(Chains, SidecarsAreTheInstancesWhereThereAreAny) {
  catalog::Service plain;
  plain.name = plain.id = "api";
  plain.port = 1;
  plain.address = "127.0.0.1";
  catalog::Service with = plain;
  with.id = "api-2";
  with.sidecar.emplace();
  with.sidecar->port = 2;
  with.sidecar->health = catalog::Health::critical;
  catalog.services["api"] = std::make_shared<catalog::Instances>(catalog::Instances{plain});
  Problems problems;
  ASSERT_EQ(members_of(catalog, {"api", "", ""}, problems).size(), 1U);
  catalog.services["api"] = std::make_shared<catalog::Instances>(catalog::Instances{plain, with});
  const auto members = members_of(catalog, {"api", "", ""}, problems);
  ASSERT_EQ(members.size(), 1U) << "whatever its health";
  EXPECT_EQ(members[0].port, 2);
  EXPECT_TRUE(members_of(catalog, {"api", "", "dc2"}, problems).empty());
}

TEST_F(Chains, NobodyIsLetInWhereIntentionsCannotBeEnforced) {
  auto entry = std::make_shared<catalog::ServiceIntentions>();
  entry->head.name = "web";
  entry->sources.push_back({{}, "api", catalog::IntentionAction::allow, {}, "", 9});
  catalog.intentions["web"] = entry;
  catalog::Service web;
  web.name = web.id = "web";
  web.port = 9000;
  web.address = "127.0.0.1";
  web.sidecar.emplace();
  web.sidecar->port = 21000;
  catalog.services["web"] = std::make_shared<catalog::Instances>(catalog::Instances{web});
  const Resources closed = translate(catalog, {.service = "web"});
  EXPECT_TRUE(closed.has_errors());
  EXPECT_FALSE(closed.clusters.contains("local_app"));
  EXPECT_THAT(json_of(*closed.routes.at("inbound/web")), HasSubstr("cannot be enforced"));
  auto defaults = std::make_shared<catalog::ProxyDefaults>(*catalog.proxy_defaults);
  defaults->allow_unauthenticated = true;
  catalog.proxy_defaults = defaults;
  const Resources open = translate(catalog, {.service = "web"});
  EXPECT_FALSE(open.has_errors());
  EXPECT_TRUE(open.clusters.contains("local_app"));
  EXPECT_THAT(json_of(*open.listeners.at("inbound/web")), HasSubstr("\"intentions_not_enforced\": true"));
  EXPECT_THAT(unenforced_notice(catalog), HasSubstr("allow_unauthenticated"));
  EXPECT_EQ(unenforced_notice({}), "");
}

TEST_F(Chains, IntentionsAsRbac) {
  auto entry = std::make_shared<catalog::ServiceIntentions>();
  entry->head.name = "api";
  catalog::Permission admin;
  admin.action = catalog::IntentionAction::deny;
  admin.path = {catalog::PathMatch::Kind::prefix, "/admin"};
  catalog::Permission rest;
  rest.action = catalog::IntentionAction::allow;
  rest.methods = {"GET", "HEAD"};
  entry->sources.push_back({{}, "web", catalog::IntentionAction::deny, {admin, rest}, "", 9});
  entry->sources.push_back({{}, "*", catalog::IntentionAction::allow, {}, "", 8});
  catalog.intentions["api"] = entry;
  const auto rbac = make_rbac(catalog, "api", true, "trust.domain");
  const std::string json = json_of(rbac);
  EXPECT_EQ(rbac.policies_size(), 2);
  EXPECT_THAT(json, HasSubstr("^spiffe://trust\\\\.domain/ns/default/dc/[^/]+/svc/web$"));
  EXPECT_THAT(json, HasSubstr("not_rule"));
  EXPECT_THAT(json, HasSubstr("not_id"));
  EXPECT_EQ(make_rbac(catalog, "api", false, "t").policies_size(), 1) << "of bytes, permissions allow none";
  EXPECT_EQ(intention_between(catalog, "web", "api")->source->precedence, 9);
  EXPECT_EQ(intention_between(catalog, "other", "api")->source->name, "*");
  EXPECT_FALSE(intention_between(catalog, "web", "db").has_value());
}

// ---- members

catalog::Service instance(const std::string& id, const std::string& version, catalog::Health health) {
  catalog::Service service;
  service.name = "api";
  service.id = id;
  service.address = "127.0.0.1";
  service.port = 80;
  service.meta["version"] = version;
  service.health = health;
  return service;
}

TEST_F(Chains, SoonAfterAnOutageThoseStayOfASubsetInWhichNobodyIsWell) {
  using catalog::Health;
  resolve("api", [](catalog::ServiceResolver& entry) {
    entry.subsets["v1"].filter = "Service.Meta.version == 1";
    entry.subsets["v2"].filter = "Service.Meta.version == 2";
  });
  catalog.services["api"] = std::make_shared<catalog::Instances>(
      catalog::Instances{instance("one", "1", Health::passing), instance("two", "2", Health::critical)});
  const auto two = [&] {
    Problems problems;
    const auto members = members_of(catalog, {.service = "api", .subset = "v2", .datacenter = {}}, problems);
    return members.size() == 1 && members[0].health == Health::passing;
  };
  EXPECT_FALSE(two());
  catalog.held["api"] = std::make_shared<catalog::Instances>(
      catalog::Instances{instance("one", "1", Health::critical), instance("two", "2", Health::passing)});
  EXPECT_TRUE(two());
  Problems problems;
  const auto one = members_of(catalog, {.service = "api", .subset = "v1", .datacenter = {}}, problems);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].health, Health::passing);  // as it is now
}

}  // namespace
}  // namespace remora::translate
