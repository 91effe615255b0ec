// What people read when they ask what would happen, and what a change would change.
#include "control/explain/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "control/catalog/mesh_files.h"
#include "control/explain/diff.h"

namespace remora::explain {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

catalog::CatalogPtr load(const std::string& path) {
  const catalog::Loaded loaded = catalog::MeshFiles({path}).load();
  for (const catalog::Finding& finding : loaded.findings) {
    if (finding.severity == catalog::Severity::error) {
      ADD_FAILURE() << finding.what.to_string();
    }
  }
  return loaded.catalog;
}

struct Explaining : testing::Test {
  catalog::CatalogPtr mesh = load(std::string(REMORA_MESHES) + "/words.yaml");
  Question question;

  Explaining() { question.from = "web"; }
  Explanation ask(const std::string& url) {
    EXPECT_TRUE(set_url(question, url));
    return explain(*mesh, question);
  }
};

TEST_F(Explaining, TheReadmesMesh) {
  mesh = load(std::string(REMORA_MESHES) + "/shop.yaml");
  const Explanation found = ask("http://api/v2/orders");
  EXPECT_EQ(found.blocked, "");
  EXPECT_EQ(found.route.text, "api:/v2*");
  EXPECT_EQ(found.route.place.line, 8);
  EXPECT_EQ(found.route_entry, "service-router/api routes[0]");
  ASSERT_EQ(found.shares.size(), 1U);
  EXPECT_EQ(found.shares[0].cluster, "api/v2");
  ASSERT_EQ(found.shares[0].group.endpoints.size(), 1U);
  EXPECT_EQ(found.shares[0].group.endpoints[0].address, "127.0.0.1:9002");
  EXPECT_EQ(found.timeout.text, "5s");
  EXPECT_THAT(found.retries.text, HasSubstr("2, on connect-failure, "));
  EXPECT_THAT(to_text(found), AllOf(HasSubstr("GET http://api/v2/orders\n"), HasSubstr("shop.yaml:8:"),
                                    HasSubstr("those with Service.Meta.version == 2"), HasSubstr("(api-2)")));
  EXPECT_THAT(to_json(found), HasSubstr("\"target\": \"api/v2\""));
}

TEST_F(Explaining, SharesSayHowTheyCameToBe) {
  const Explanation found = ask("http://orders/");
  ASSERT_EQ(found.shares.size(), 3U);
  EXPECT_EQ(found.shares[0].percent, 90);
  EXPECT_EQ(found.shares[1].cluster, "canary/fresh");
  EXPECT_NEAR(found.shares[1].percent + found.shares[2].percent, 10, 1e-9);
  EXPECT_EQ(found.shares[2].way.size(), 2U);
  EXPECT_EQ(found.timeout.text, "8s");
  EXPECT_EQ(found.passed_over.size(), 2U);
}

TEST_F(Explaining, MatchesAreTheProxysOwn) {
  question.method = "GET";
  Explanation found = ask("http://orders/EXACT?x=1");
  EXPECT_EQ(found.route.text, "orders:=/exact") << "case does not matter";
  EXPECT_EQ(found.sent_path, "/new?x=1");
  EXPECT_EQ(found.timeout.text, "none");
  question.method = "POST";
  found = ask("http://orders/exact");
  EXPECT_EQ(found.route.text, "orders:*") << "only GET";
  question.headers = {{"x-a", "B"}, {"x-c", "aa"}, {"x-d", "pq"}, {"x-e", "ts"}, {"x-f", "abc"}};
  EXPECT_EQ(ask("http://orders/R12?q=1&r=z&p").route.text, "orders:~/r[0-9]+");
  question.headers.emplace_back("x-b", "");
  EXPECT_EQ(ask("http://orders/R12?q=1&r=z&p").route.text, "orders:*");
}

TEST_F(Explaining, FailoverAndTcp) {
  const Explanation found = ask("tcp://db");
  EXPECT_EQ(found.protocol, "tcp");
  EXPECT_EQ(found.route.text, "");
  ASSERT_EQ(found.shares.size(), 1U);
  ASSERT_EQ(found.shares[0].failover.size(), 1U);
  EXPECT_EQ(found.shares[0].failover[0].target, "db-next");
}

TEST_F(Explaining, WhatKeepsItBack) {
  EXPECT_THAT(ask("http://oders/").blocked, AllOf(HasSubstr("declares no upstream 'oders'"), HasSubstr("orders")));
  question.from = "wbe";
  EXPECT_THAT(ask("http://orders/").blocked, HasSubstr("there is no service 'wbe' (did you mean 'web'?)"));
  EXPECT_FALSE(set_url(question, "ftp://x"));
  EXPECT_FALSE(add_header(question, "no colon"));
}

TEST_F(Explaining, WhoAsksMustBeThere) {
  question.from = "orders";
  question.from_id = "o9";
  EXPECT_EQ(ask("http://web/").blocked,
            "service 'orders' has no instance 'o9' (did you mean 'o1'?); it has o1, o2, o3");
  question.from = "canary";
  question.from_id.clear();
  EXPECT_THAT(ask("http://orders/").blocked, HasSubstr("'canary' has no sidecar: say connect: {sidecar_service: "));
}

TEST_F(Explaining, AnAddressWhereNobodyListens) {
  const Explanation found = ask("http://127.0.0.1:1/");
  EXPECT_THAT(found.blocked, AllOf(HasSubstr("no upstream of 'web' listens on 127.0.0.1:1: it declares orders"),
                                   HasSubstr("(127.0.0.1:9191)")));
  EXPECT_TRUE(found.shares.empty());
}

catalog::CatalogPtr mesh_of(const std::string& more) {
  const std::string path = testing::TempDir() + "/remora_explain_mesh.yaml";
  std::ofstream(path) << R"(services:
  - {name: web, port: 9000, connect: {sidecar_service: {port: 21000, proxy: {upstreams: [{destination_name: api, local_bind_port: 9191}]}}}}
  - {name: api, port: 9001, address: 10.0.0.1, meta: {version: "1"}}
  - {name: other, port: 9002}
config_entries:
)" << more;
  return load(path);
}

TEST_F(Explaining, NobodyThereIsTold) {
  mesh = mesh_of(R"(  - {kind: service-defaults, name: api, protocol: http}
  - {kind: service-resolver, name: api, default_subset: v2, subsets: {v2: {filter: "Service.Meta.version == 2"}}}
)");
  EXPECT_THAT(ask("http://api/").blocked,
              AllOf(HasSubstr("'api/v2' has no instance with Service.Meta.version == 2 ("),
                    HasSubstr("explain_mesh.yaml:7:"), HasSubstr("the answer is 503 no healthy upstream")));
}

TEST_F(Explaining, TheIntentionIsThatOfWhoeverIsReached) {
  mesh = mesh_of(R"(  - {kind: proxy-defaults, config: {protocol: http, allow_unauthenticated: true}}
  - {kind: service-resolver, name: api, redirect: {service: other}}
  - {kind: service-intentions, name: other, sources: [{name: web, action: deny}]}
)");
  const Explanation found = ask("http://api/");
  ASSERT_EQ(found.intentions.size(), 1U);
  EXPECT_EQ(found.intentions[0].text, "web → other: deny; not enforced: proxy-defaults says allow_unauthenticated");
  EXPECT_EQ(found.intentions[0].place.line, 8);
}

TEST_F(Explaining, WhatIsNotReadIsSaid) {
  mesh = mesh_of("  - {kind: service-resolver, name: api, connect_timeout: 1s}\n");
  EXPECT_THAT(ask("http://api/v2").notes, ElementsAre(HasSubstr("'api' is tcp (nothing says another)")));
  mesh = mesh_of(R"(  - {kind: service-defaults, name: api, protocol: http}
  - {kind: service-router, name: api, routes: [{destination: {num_retries: 1}}]}
)");
  question.method = "POST";
  EXPECT_THAT(ask("http://api/").notes, ElementsAre(HasSubstr("POST is not idempotent")));
}

TEST_F(Explaining, ByTheLocalAddress) { EXPECT_EQ(ask("http://127.0.0.1:9192/").shares.at(0).cluster, "cache/all"); }

TEST(Diffs, OnlyWhatChangedIsTold) {
  const std::string path = std::string(REMORA_MESHES) + "/shop.yaml";
  const catalog::CatalogPtr before = load(path);
  std::ifstream stream(path);
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  text.replace(text.find("request_timeout: 5s"), 19, "request_timeout: 8s");
  text += "  - {kind: service-resolver, name: web, connect_timeout: 1s}\n";
  const std::string changed = testing::TempDir() + "/remora_diff_mesh.yaml";
  std::ofstream(changed) << text;
  const Diff found = diff(*before, *load(changed));
  EXPECT_EQ(found.proxies, 1U);
  ASSERT_EQ(found.changes.size(), 1U);
  EXPECT_THAT(found.changes[0].proxies, ElementsAre("web"));
  ASSERT_EQ(found.changes[0].resources.size(), 1U);
  EXPECT_THAT(found.changes[0].resources[0].fields,
              ElementsAre(FieldChange{"virtual_hosts[api].routes[api:/v2*].route.timeout", "5s", "8s"}));
  EXPECT_THAT(to_text(found), HasSubstr("routes[api:/v2*].route.timeout: 5s → 8s"));
  EXPECT_THAT(to_json(found), HasSubstr("\"before\": \"5s\""));
  EXPECT_TRUE(diff(*before, *before).changes.empty());
}

TEST(Diffs, ProxiesComeAndGo) {
  const catalog::CatalogPtr small = load(std::string(REMORA_MESHES) + "/shop.yaml");
  const catalog::CatalogPtr large = load(std::string(REMORA_MESHES) + "/words.yaml");
  const std::string text = to_text(diff(*small, *large));
  EXPECT_THAT(text, AllOf(HasSubstr("+ orders (o1)"), HasSubstr("  + cluster orders/v1"),
                          HasSubstr("  - cluster api\n"), Not(HasSubstr("- orders"))));
}

}  // namespace
}  // namespace remora::explain
