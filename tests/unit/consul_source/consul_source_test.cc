// Stories of a proxy that finds its peers in a Consul to which things happen, in virtual time.
#include "proxy/sources/consul_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "tests/sim/fake_consul.h"

namespace remora::sources {
namespace {

using model::ConsulDiscovery;
using sim::FakeConsul;

class ConsulSourceTest : public testing::Test {
 protected:
  void follow(const std::vector<std::pair<std::string, ConsulDiscovery>>& wanted) {
    std::vector<std::shared_ptr<const model::Cluster>> clusters;
    for (const auto& [name, discovery] : wanted) {
      auto cluster = std::make_shared<model::Cluster>();
      cluster->name = name;
      cluster->discovery = discovery;
      clusters.push_back(std::move(cluster));
    }
    source_->follow(clusters);
    loop_.advance(Milliseconds(50));
  }
  static ConsulDiscovery of(const std::string& service, const std::string& filter = "") {
    ConsulDiscovery discovery;
    discovery.targets.push_back({.service = service, .datacenter = {}, .tags = {}, .filter = filter});
    return discovery;
  }
  static ConsulDiscovery sidecars_of(const std::string& service) {
    ConsulDiscovery discovery = of(service);
    discovery.targets.front().connect = true;
    return discovery;
  }

  // "10.0.0.1:80 10.0.0.2:80/1": addresses, and priorities above 0.
  std::string endpoints(const std::string& cluster = "api") {
    std::string text;
    for (const model::Endpoint& at : set_[cluster]) {
      text += (text.empty() ? "" : " ") + at.address.to_string() +
              (at.priority > 0 ? "/" + std::to_string(at.priority) : "");
    }
    return text;
  }

  static consul::Agent agent() { return {Address::parse("10.1.0.1", 8500).value(), "10.1.0.1:8500", ""}; }

  BlockPool blocks_;
  std::array<char, 16 * 1024> scratch_{};
  sim::SimLoop loop_{1};
  sim::SimNetwork network_{loop_, 1};
  Random random_{1};
  FakeConsul consul_{loop_, network_, agent().address};
  consul::Client client_{net::ConnectionContext{loop_, blocks_, scratch_}, network_,
                         consul::ClientOptions{.agents = {agent()}, .token = {}}};
  std::map<std::string, std::vector<model::Endpoint>> set_;
  std::set<std::string> earlier_;  // clusters with endpoints on the disk
  std::size_t sets_ = 0;
  std::vector<std::string> told_;
  std::unique_ptr<ConsulSource> source_ = std::make_unique<ConsulSource>(
      client_, random_,
      ConsulSource::Events{.set_endpoints =
                               [this](const std::string& cluster, std::vector<model::Endpoint> endpoints) {
                                 set_[cluster] = std::move(endpoints);
                                 ++sets_;
                               },
                           .has_earlier = [this](const std::string& cluster) { return earlier_.contains(cluster); },
                           .tell = [this](const std::string& words) { told_.push_back(words); }});
};

TEST_F(ConsulSourceTest, FollowsAService) {
  consul_.set_service("api", {{.id = "1", .address = "10.0.0.1"}, {.id = "2", .address = "10.0.0.2"}});
  follow({{"api", of("api")}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80 10.0.0.2:80");
  EXPECT_EQ(set_["api"].front().weight, 3U);
  consul_.set_service("api", {{.id = "2", .address = "10.0.0.2"}});
  loop_.advance(Milliseconds(200));
  EXPECT_EQ(endpoints(), "10.0.0.2:80");
  consul_.set_service("api", {});  // nothing happened to Consul: they are gone
  loop_.advance(Milliseconds(200));
  EXPECT_EQ(endpoints(), "");
  EXPECT_NE(consul_.asked().front().target.find("near=_agent"), std::string::npos);
}

TEST_F(ConsulSourceTest, TakesPassingOnesOrWarningOnesToo) {
  consul_.set_service("api", {{.id = "1", .address = "10.0.0.1"},
                              {.id = "2", .address = "10.0.0.2", .status = "warning"},
                              {.id = "3", .address = "10.0.0.3", .status = "critical"},
                              {.id = "4", .address = "10.0.0.4", .status = "maintenance"}});
  ConsulDiscovery lenient = of("api");
  lenient.targets.front().only_passing = false;
  follow({{"api", of("api")}, {"lenient", lenient}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
  EXPECT_EQ(endpoints("lenient"), "10.0.0.1:80 10.0.0.2:80");
  EXPECT_EQ(set_["lenient"].back().weight, 1U);
}

TEST_F(ConsulSourceTest, OneWatchServesAllClustersAndTheirFilters) {
  consul_.set_service("api", {{.id = "1", .address = "10.0.0.1", .version = "1", .tags = {"Blue"}},
                              {.id = "2", .address = "10.0.0.2", .version = "2"}});
  ConsulDiscovery tagged = of("api");
  tagged.targets.front().tags = {"blue"};
  follow({{"v1", of("api", "Service.Meta.version == 1")},
          {"v2", of("api", "Service.Meta.version == 2")},
          {"blue", tagged}});
  EXPECT_EQ(endpoints("v1"), "10.0.0.1:80");
  EXPECT_EQ(endpoints("v2"), "10.0.0.2:80");
  EXPECT_EQ(endpoints("blue"), "10.0.0.1:80");
  EXPECT_EQ(source_->watches().size(), 1U);
  EXPECT_EQ(consul_.connections(), 1U);
  follow({{"v1", of("api", "Service.Meta.version == 1")}, {"v3", of("api", "Service.Meta.version != 1")}});
  EXPECT_EQ(endpoints("v3"), "10.0.0.2:80");  // known without asking again
  EXPECT_LE(consul_.asked("/v1/health"), 2U);
}

TEST_F(ConsulSourceTest, AWatchThatNobodyUsesEnds) {
  consul_.set_service("api", {{.id = "1"}});
  follow({{"api", of("api")}});
  follow({});
  EXPECT_TRUE(source_->watches().empty());
  const std::size_t asked = consul_.asked().size();
  loop_.advance(Seconds(300));
  EXPECT_EQ(consul_.asked().size(), asked);
}

TEST_F(ConsulSourceTest, AFilterThatCannotBeJudgedIsToldAndMatchesNothing) {
  consul_.set_service("api", {{.id = "1"}});
  follow({{"api", of("api", "Service.Mta.version == 1")}});
  EXPECT_EQ(sets_, 1U);
  EXPECT_EQ(endpoints(), "");
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_NE(told_.front().find("Service.Mta is not known"), std::string::npos);
}

TEST_F(ConsulSourceTest, SidecarsAreTheInstancesWhereAnyIsRegistered) {
  consul_.set_service("api", {{.id = "1", .address = "10.0.0.1"}});
  follow({{"api", sidecars_of("api")}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80");  // none is
  consul_.set_sidecars("api", {{.id = "p", .address = "10.0.0.1", .port = 21000}});
  loop_.advance(Milliseconds(200));
  EXPECT_EQ(endpoints(), "10.0.0.1:21000");
  EXPECT_EQ(source_->watches().size(), 1U);
  consul_.set_sidecars("api", {{.id = "p", .address = "10.0.0.1", .port = 21000, .status = "critical"}});
  loop_.advance(Milliseconds(200));
  EXPECT_EQ(endpoints(), "");  // sick sidecars are no reason to go past them
  EXPECT_EQ(sets_, 3U);
}

TEST_F(ConsulSourceTest, OtherDatacentersAreLaterPriorities) {
  consul_.set_service("api", {{.id = "1", .address = "10.0.0.1"}});
  ConsulDiscovery discovery = of("api");
  discovery.targets.push_back({.service = "api", .datacenter = "dc2", .tags = {}, .filter = {}});
  follow({{"api", discovery}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80 10.0.0.1:80/1");  // the fake knows one world only
  EXPECT_EQ(consul_.asked("dc=dc2"), 1U);
}

TEST_F(ConsulSourceTest, TheLastGoodStaysThroughEveryOutage) {
  for (const auto mode :
       {FakeConsul::Mode::hangs, FakeConsul::Mode::no_leader, FakeConsul::Mode::errors, FakeConsul::Mode::garbage,
        FakeConsul::Mode::wrong_shape, FakeConsul::Mode::forbidden, FakeConsul::Mode::filters}) {
    consul_.mode = FakeConsul::Mode::well;
    consul_.set_service("api", {{.id = "1"}});
    follow({{"api", of("api")}});
    loop_.advance(Seconds(40));
    ASSERT_EQ(endpoints(), "10.0.0.1:80");
    told_.clear();
    consul_.mode = mode;
    consul_.touch();
    loop_.advance(Seconds(300));
    EXPECT_EQ(endpoints(), "10.0.0.1:80");
    const auto facts = source_->cluster("api");
    ASSERT_TRUE(facts);
    EXPECT_FALSE(facts->failing.empty());
    EXPECT_GE(facts->age, Nanoseconds(Seconds(290)));
    EXPECT_EQ(told_.size(), 1U);  // once an outage, not once a question
    consul_.mode = FakeConsul::Mode::well;
    loop_.advance(Seconds(120));
    EXPECT_EQ(told_.size(), 2U);
    EXPECT_TRUE(source_->cluster("api")->failing.empty());
    EXPECT_LE(source_->cluster("api")->age, Nanoseconds(Seconds(65)));
  }
}

TEST_F(ConsulSourceTest, ARestartedAgentThatForgotIsNotBelievedFor30Seconds) {
  consul_.set_service("api", {{.id = "1"}});
  follow({{"api", of("api")}});
  consul_.restart(1, /*forget=*/true);
  loop_.advance(Seconds(29));
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
  EXPECT_TRUE(source_->cluster("api")->holding);
  loop_.advance(Seconds(3));
  EXPECT_EQ(endpoints(), "");
  EXPECT_FALSE(source_->cluster("api")->holding);
}

TEST_F(ConsulSourceTest, ChecksThatARestartedAgentFirstCallsCriticalCostNothing) {
  consul_.set_service("api", {{.id = "1"}});
  follow({{"api", of("api")}});
  consul_.restart(1, /*forget=*/false);
  loop_.advance(Seconds(2));                                        // it answers as before
  consul_.set_service("api", {{.id = "1", .status = "critical"}});  // then the agent syncs
  loop_.advance(Seconds(5));
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
  consul_.set_service("api", {{.id = "1"}, {.id = "2", .address = "10.0.0.2"}});
  loop_.advance(Seconds(60));
  EXPECT_EQ(endpoints(), "10.0.0.1:80 10.0.0.2:80");
  EXPECT_FALSE(source_->cluster("api")->holding);
}

TEST_F(ConsulSourceTest, SidecarsThatARestartedAgentForgotAreNotReplacedByTheService) {
  consul_.set_service("api", {{.id = "1"}});
  consul_.set_sidecars("api", {{.id = "p", .port = 21000}});
  follow({{"api", sidecars_of("api")}});
  consul_.restart(1, /*forget=*/true);
  consul_.set_service("api", {{.id = "1"}});
  loop_.advance(Seconds(10));
  EXPECT_EQ(endpoints(), "10.0.0.1:21000");
  loop_.advance(Seconds(30));
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
}

TEST_F(ConsulSourceTest, WithoutAnAnswerNothingIsSaid) {
  consul_.stop();
  follow({{"api", of("api")}});
  loop_.advance(Seconds(100));
  EXPECT_EQ(sets_, 0U);  // what came from the disk stays
  consul_.start();
  consul_.set_service("api", {{.id = "1"}});
  loop_.advance(Seconds(60));
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
}

TEST_F(ConsulSourceTest, WhatIsOnTheDiskOutlivesAFirstAnswerWithoutInstances) {
  earlier_ = {"api"};
  consul_.set_service("api", {{.id = "1", .status = "critical"}});  // a restarted agent, perhaps
  follow({{"api", of("api")}});
  loop_.advance(Seconds(29));
  EXPECT_EQ(sets_, 0U);
  EXPECT_TRUE(source_->cluster("api")->holding);
  loop_.advance(Seconds(3));
  EXPECT_EQ(sets_, 1U);
  EXPECT_EQ(endpoints(), "");
}

TEST_F(ConsulSourceTest, AFirstAnswerWithAnInstanceReplacesWhatIsOnTheDisk) {
  earlier_ = {"api"};
  consul_.set_service("api", {{.id = "1"}});
  follow({{"api", of("api")}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
}

TEST_F(ConsulSourceTest, AnotherFilterThatTakesNobodyIsBelievedAtOnce) {
  consul_.set_service("api", {{.id = "1", .version = "1"}});
  follow({{"api", of("api", "Service.Meta.version == 1")}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
  follow({{"api", of("api", "Service.Meta.version == 2")}});
  EXPECT_EQ(endpoints(), "");
}

TEST_F(ConsulSourceTest, AServiceWithoutInstancesIsAnAnswer) {
  follow({{"api", of("api")}});
  EXPECT_EQ(sets_, 1U);
  EXPECT_EQ(endpoints(), "");
}

TEST_F(ConsulSourceTest, AnotherOrderIsNoChange) {
  consul_.set_service("api", {{.id = "1", .address = "10.0.0.1"}, {.id = "2", .address = "10.0.0.2"}});
  follow({{"api", of("api")}});
  consul_.set_service("api", {{.id = "2", .address = "10.0.0.2"}, {.id = "1", .address = "10.0.0.1"}});
  loop_.advance(Seconds(1));
  EXPECT_EQ(sets_, 1U);
}

TEST_F(ConsulSourceTest, PreparedQueriesArePolled) {
  consul_.set("/v1/query/near-api/execute",
              R"({"Service":"api","Nodes":)" + sim::health_json("api", {{.id = "1"}}) + "}");
  ConsulDiscovery discovery;
  discovery.prepared_query = "near-api";
  discovery.poll_interval = Seconds(5);
  follow({{"api", discovery}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
  consul_.set("/v1/query/near-api/execute",
              R"({"Service":"api","Nodes":)" + sim::health_json("api", {{.id = "2", .address = "10.0.0.2"}}) + "}");
  loop_.advance(Seconds(6));
  EXPECT_EQ(endpoints(), "10.0.0.2:80");
  EXPECT_EQ(consul_.asked("/v1/query"), 2U);
}

TEST_F(ConsulSourceTest, InstancesThatCannotBeCalledAreNamed) {
  consul_.set_service("api", {{.id = "1", .address = "api.example"}, {.id = "2", .port = 0}, {.id = "3"}});
  follow({{"api", of("api")}});
  EXPECT_EQ(endpoints(), "10.0.0.1:80");
  const auto facts = source_->cluster("api");
  ASSERT_EQ(facts->skipped.size(), 2U);
  EXPECT_NE(facts->skipped[0].find("instance 1 on node node1"), std::string::npos) << facts->skipped[0];
  EXPECT_NE(facts->skipped[1].find("its port is 0: expected 1 to 65535"), std::string::npos);
  const auto told = [&] {
    return std::ranges::count_if(told_, [](const std::string& words) {
      return words.starts_with("cluster api leaves out instance 1 on node node1: ");
    });
  };
  EXPECT_EQ(told(), 1);
  consul_.set_service("api", {{.id = "1", .address = "api.example"}, {.id = "4"}});
  loop_.advance(Seconds(1));
  EXPECT_EQ(told(), 1) << "once, not with each answer";
}

}  // namespace
}  // namespace remora::sources
