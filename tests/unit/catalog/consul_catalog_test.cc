// The catalog out of a fake Consul, in virtual time.
#include "control/catalog/consul_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/sim/fake_consul.h"

namespace remora::catalog {
namespace {

using sim::FakeConsul;
using testing::HasSubstr;

struct Heard final : CatalogEvents {
  void on_catalog(CatalogPtr catalog) override { catalogs.push_back(std::move(catalog)); }
  void on_findings(const Findings& findings) override { readings.push_back(findings); }
  void on_source(const std::string& words) override { told.push_back(words); }

  std::vector<std::string> told;
  std::vector<CatalogPtr> catalogs;
  std::vector<Findings> readings;
};

std::string entry(const std::string& kind, const std::string& name, const std::string& rest, int index) {
  return R"({"Kind": ")" + kind + R"(", "Name": ")" + name + R"(", )" + rest + R"(, "ModifyIndex": )" +
         std::to_string(index) + "}";
}

class ConsulCatalogTest : public testing::Test {
 protected:
  ConsulCatalogTest() {
    for (std::string_view kind : entry_kinds()) {
      agent_.set("/v1/config/" + std::string(kind), "[]");
    }
    agent_.set("/v1/config/service-defaults", "[" + entry("service-defaults", "api", R"("Protocol": "http")", 5) + "]");
    agent_.set("/v1/agent/self", R"({"Config": {"Datacenter": "dc1"}})");
  }

  void start() {
    catalog_ = std::make_unique<ConsulCatalog>(client_, random_, ConsulCatalogOptions{}, heard_);
    loop_.advance(Milliseconds(100));
  }
  // What Consul says of api, without sidecars, has been read.
  void start_with_api(const std::vector<sim::FakeInstance>& instances) {
    agent_.set_service("api", instances);
    agent_.set_sidecars("api", {});
    start();
    catalog_->want({"api"});
    loop_.advance(Seconds(1));
  }
  // Consul is away for a second, says `instances` of api when it is back, and has been asked again.
  void outage(const std::vector<sim::FakeInstance>& instances) {
    agent_.stop();
    loop_.advance(Seconds(1));
    agent_.set_service("api", instances);
    agent_.start();
    loop_.advance(Seconds(5));
  }
  const Catalog& mesh() const { return *catalog_->catalog(); }

  static consul::Agent agent() { return {Address::parse("10.1.0.1", 8500).value(), "10.1.0.1:8500", ""}; }

  BlockPool blocks_;
  std::array<char, 16 * 1024> scratch_{};
  sim::SimLoop loop_{1};
  sim::SimNetwork network_{loop_, 1};
  Random random_{1};
  FakeConsul agent_{loop_, network_, agent().address};
  consul::Client client_{
      net::ConnectionContext{loop_, blocks_, scratch_}, network_, {.agents = {agent()}, .token = {}}};
  Heard heard_;
  std::unique_ptr<ConsulCatalog> catalog_;
};

TEST_F(ConsulCatalogTest, HoldsWhatConsulHolds) {
  start();
  ASSERT_FALSE(heard_.catalogs.empty());
  EXPECT_EQ(mesh().protocol_of("api"), Protocol::http);
  EXPECT_EQ(mesh().datacenter, "dc1");
  EXPECT_FALSE(mesh().complete);
  EXPECT_TRUE(catalog_->findings().empty());
}

TEST_F(ConsulCatalogTest, HearsOfAChangeAtOnceAndKeepsWhatDidNotChange) {
  start();
  const CatalogPtr before = catalog_->catalog();
  agent_.set("/v1/config/service-splitter",
             "[" + entry("service-splitter", "api", R"("Splits": [{"Weight": 100}])", 6) + "]");
  loop_.advance(Milliseconds(20));
  ASSERT_NE(mesh().splitter_of("api"), nullptr);
  EXPECT_EQ(mesh().defaults_of("api"), before->defaults_of("api"));  // the same value, not an equal one
}

TEST_F(ConsulCatalogTest, AnEntryThatIsWrongKeepsItsLastGoodVersion) {
  start();
  agent_.set("/v1/config/service-defaults",
             "[" + entry("service-defaults", "api", R"("Protocol": "http", "Destination": {"Port": 1})", 6) + "," +
                 entry("service-defaults", "web", R"("Protocol": "grpc")", 7) + "]");
  loop_.advance(Milliseconds(20));
  EXPECT_EQ(mesh().protocol_of("api"), Protocol::http);
  EXPECT_EQ(mesh().protocol_of("web"), Protocol::grpc);
  ASSERT_EQ(catalog_->findings().size(), 1U);
  EXPECT_THAT(catalog_->findings()[0].what.to_string(), HasSubstr("service-defaults/api.destination"));
  agent_.set("/v1/config/service-defaults", "[]");
  loop_.advance(Milliseconds(200));  // a watch asks at most ten times a second
  EXPECT_EQ(mesh().defaults_of("api"), nullptr);
  EXPECT_TRUE(catalog_->findings().empty());
  EXPECT_TRUE(heard_.readings.back().empty());
}

TEST_F(ConsulCatalogTest, WatchesTheInstancesThatAreWanted) {
  agent_.set_service("api", {{.id = "api-1", .port = 9001}});
  agent_.set_sidecars("api", {});
  agent_.set_service("db", {{.id = "db-1"}});
  start();
  EXPECT_EQ(agent_.asked("/v1/health"), 0U);
  catalog_->want({"api"});
  loop_.advance(Milliseconds(20));
  ASSERT_EQ(mesh().instances("api").size(), 1U);
  EXPECT_EQ(mesh().instances("api")[0].port, 9001);
  EXPECT_EQ(agent_.asked("/v1/health/service/db"), 0U);
  agent_.set_service("api", {{.id = "api-1", .port = 9001}, {.id = "api-2", .port = 9002}});
  loop_.advance(Milliseconds(200));
  EXPECT_EQ(mesh().instances("api").size(), 2U);
  catalog_->want({});
  loop_.advance(Milliseconds(20));
  EXPECT_TRUE(mesh().instances("api").empty());
}

TEST_F(ConsulCatalogTest, AConsulThatIsAwayLeavesTheLastGoodCatalog) {
  start();
  const CatalogPtr before = catalog_->catalog();
  agent_.stop();
  loop_.advance(Seconds(120));
  EXPECT_EQ(catalog_->catalog(), before);
  bool failing = false;
  for (const WatchFacts& watch : catalog_->watches()) {
    failing = failing || !watch.failure.empty();
  }
  EXPECT_TRUE(failing);
  agent_.start();
  agent_.mode = FakeConsul::Mode::garbage;
  loop_.advance(Seconds(120));
  EXPECT_EQ(catalog_->catalog(), before);
  agent_.mode = FakeConsul::Mode::well;
  agent_.set("/v1/config/service-defaults", "[" + entry("service-defaults", "api", R"("Protocol": "grpc")", 9) + "]");
  loop_.advance(Seconds(120));
  EXPECT_EQ(mesh().protocol_of("api"), Protocol::grpc);
}

TEST_F(ConsulCatalogTest, SaysOfWhichServicesItHasHeard) {
  agent_.set_service("api", {{.id = "api-1", .port = 9001}});
  agent_.set_sidecars("api", {});
  start();
  EXPECT_FALSE(mesh().has_heard("api"));
  catalog_->want({"api", "db"});  // of db Consul will say 404
  loop_.advance(Milliseconds(20));
  EXPECT_TRUE(mesh().has_heard("api"));
}

TEST_F(ConsulCatalogTest, AfterAnOutageInstancesAreHeldForAWhile) {
  start_with_api({{.id = "api-1", .port = 9001}});
  EXPECT_TRUE(mesh().held_instances("api").empty());
  outage({{.id = "api-1", .port = 9001, .status = "critical"}});
  ASSERT_EQ(mesh().instances("api").size(), 1U);
  EXPECT_EQ(mesh().instances("api")[0].health, Health::critical);  // what Consul says now is there too
  ASSERT_EQ(mesh().held_instances("api").size(), 1U);
  EXPECT_EQ(mesh().held_instances("api")[0].health, Health::passing);
  loop_.advance(Seconds(31));
  EXPECT_TRUE(mesh().held_instances("api").empty());
}

TEST_F(ConsulCatalogTest, OfTwoOutagesTheBetterStateIsHeld) {
  start_with_api({{.id = "api-1", .port = 9001}});
  for (const std::string status : {"critical", "passing"}) {
    outage({{.id = "api-1", .port = 9001, .status = status}});
    ASSERT_EQ(mesh().held_instances("api").size(), 1U);
    EXPECT_EQ(mesh().held_instances("api")[0].health, Health::passing) << status;
  }
}

TEST_F(ConsulCatalogTest, HowLongInstancesAreHeldIsWrittenInConsul) {
  agent_.set("/v1/config/proxy-defaults",
             "[" + entry("proxy-defaults", "global", R"("Config": {"discovery": {"hold_empty": "60s"}})", 6) + "]");
  agent_.set("/v1/config/service-defaults",
             "[" +
                 entry("service-defaults", "api",
                       R"("Meta": {"remora": "{discovery: {hold_empty: 10s}}"}, "Protocol": "http")", 7) +
                 "]");
  for (const std::string name : {"api", "db"}) {
    agent_.set_service(name, {{.id = name, .port = 9001}});
    agent_.set_sidecars(name, {});
  }
  start();
  catalog_->want({"api", "db"});
  loop_.advance(Seconds(1));
  agent_.stop();
  loop_.advance(Seconds(1));
  for (const std::string name : {"api", "db"}) {
    agent_.set_service(name, {{.id = name, .port = 9001, .status = "critical"}});
  }
  agent_.start();
  loop_.advance(Seconds(5));  // in which it is asked again
  EXPECT_EQ(mesh().held_instances("api").size(), 1U);
  EXPECT_EQ(mesh().held_instances("db").size(), 1U);
  loop_.advance(Seconds(10));
  EXPECT_TRUE(mesh().held_instances("api").empty());
  loop_.advance(Seconds(40));
  EXPECT_EQ(mesh().held_instances("db").size(), 1U);
  loop_.advance(Seconds(10));
  EXPECT_TRUE(mesh().held_instances("db").empty());
}

TEST_F(ConsulCatalogTest, AtItsStartChecksThatWereNotCarriedOutYetAreNotBelieved) {
  start_with_api({{.id = "api-1", .port = 9001, .status = "critical", .output = ""}});
  ASSERT_EQ(mesh().held_instances("api").size(), 1U);
  EXPECT_EQ(mesh().held_instances("api")[0].health, Health::passing);
  loop_.advance(Seconds(31));
  EXPECT_TRUE(mesh().held_instances("api").empty());
}

TEST_F(ConsulCatalogTest, AtItsStartASidecarsCheckIsNoBetterThanTheOneItStandsFor) {
  start_with_api({{.id = "api-1",
                   .port = 9001,
                   .status = "critical",
                   .output = R"(Aliased check \"Service 'api' check\" failing: )"}});
  ASSERT_EQ(mesh().held_instances("api").size(), 1U);
  EXPECT_EQ(mesh().held_instances("api")[0].health, Health::passing);
}

TEST_F(ConsulCatalogTest, AtItsStartOneInstanceThatIsWellSaysNothingOfAnother) {
  start_with_api({{.id = "api-1", .port = 9001}, {.id = "api-2", .port = 9002, .status = "critical", .output = ""}});
  ASSERT_EQ(mesh().held_instances("api").size(), 2U);  // a subset may have the second one alone
  EXPECT_EQ(mesh().held_instances("api")[1].health, Health::passing);
}

TEST_F(ConsulCatalogTest, AtItsStartChecksThatFailAreBelieved) {
  start_with_api({{.id = "api-1", .port = 9001, .status = "critical"}});
  EXPECT_TRUE(mesh().held_instances("api").empty());
}

TEST_F(ConsulCatalogTest, AnInstanceThatWasWellIsBelievedWhenItIsNot) {
  start_with_api({{.id = "api-1", .port = 9001}});
  agent_.set_service("api", {{.id = "api-1", .port = 9001, .status = "critical", .output = ""}});
  loop_.advance(Seconds(1));
  EXPECT_TRUE(mesh().held_instances("api").empty());
}

TEST_F(ConsulCatalogTest, AfterAnOutageEntriesThatAreAllGoneAreHeldForAWhile) {
  start();
  agent_.stop();
  loop_.advance(Seconds(1));
  agent_.set("/v1/config/service-defaults", "[]");
  agent_.start();
  loop_.advance(Seconds(5));  // in which it is asked again
  EXPECT_EQ(mesh().protocol_of("api"), Protocol::http);
  loop_.advance(Seconds(31));
  EXPECT_EQ(mesh().protocol_of("api"), Protocol::tcp);
}

TEST_F(ConsulCatalogTest, AnOutageIsToldOnceAndSoIsItsEnd) {
  start();
  agent_.stop();
  loop_.advance(Seconds(60));
  ASSERT_EQ(heard_.told.size(), 1U);
  EXPECT_THAT(heard_.told[0], HasSubstr("what it said last goes on"));
  agent_.start();
  loop_.advance(Seconds(120));
  ASSERT_EQ(heard_.told.size(), 2U);
  EXPECT_EQ(heard_.told[1], "Consul answers again");
}

TEST_F(ConsulCatalogTest, WhatAclsLeaveOutIsNotTakenForNobody) {
  start_with_api({{.id = "api-1", .port = 9001}});
  agent_.mode = FakeConsul::Mode::filters;
  agent_.touch();
  loop_.advance(Seconds(2));
  EXPECT_EQ(mesh().instances("api").size(), 1U);
  ASSERT_FALSE(heard_.told.empty());
  EXPECT_THAT(heard_.told.back(), HasSubstr("service:read on 'api' and node:read"));
}

TEST_F(ConsulCatalogTest, WaitsForEveryKind) {
  agent_.mode = FakeConsul::Mode::hangs;
  start();
  loop_.advance(Seconds(5));
  EXPECT_EQ(catalog_->catalog(), nullptr);
  EXPECT_TRUE(heard_.catalogs.empty());
}

}  // namespace
}  // namespace remora::catalog
