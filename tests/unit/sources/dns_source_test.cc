// Names in virtual time: refresh, TTL, families, failures that change nothing, and what reaches the clusters.
#include "proxy/sources/dns_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "tests/seed.h"
#include "tests/sim/sim_loop.h"

namespace remora::sources {
namespace {

using namespace std::chrono_literals;
using model::DnsDiscovery;
using net::Resolver;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct FakeResolver final : Resolver {
  struct Pending final : net::Lookup {
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    ~Pending() override { *alive = false; }
  };

  explicit FakeResolver(sim::SimLoop& loop_in) : loop(loop_in) {}

  std::unique_ptr<net::Lookup> resolve(const std::string& host, Family family, Done done) override {
    asked.push_back(host + (family == Family::v4 ? "/4" : "/6"));
    auto pending = std::make_unique<Pending>();
    const auto found = answers.find(asked.back());
    net::Answer answer{.ok = true, .why = "there is no such name"};
    if (found != answers.end()) {
      answer = found->second;
    }
    loop.at(takes.contains(asked.back()) ? takes.at(asked.back()) : 10ms,
            [alive = pending->alive, answer, done = std::move(done)] {
              if (*alive) {
                done(answer);
              }
            });
    return pending;
  }
  void set(const std::string& question, const std::vector<std::string>& ips, Seconds ttl = 0s) {
    net::Answer answer{.ok = true, .ttl = ttl, .why = ips.empty() ? "there is no such name" : ""};
    for (const std::string& ip : ips) {
      answer.addresses.push_back(Address::parse(ip, 0).value());
    }
    answers[question] = answer;
  }
  void fail(const std::string& question, const std::string& why = "timeout") { answers[question] = {.why = why}; }

  sim::SimLoop& loop;
  std::map<std::string, net::Answer> answers;
  std::map<std::string, Milliseconds> takes;
  std::vector<std::string> asked;
};

struct Dns : ::testing::Test {
  Dns() { discovery.family = DnsDiscovery::Family::v4_only; }

  void follow(const std::vector<std::string>& hosts = {"api"}) {
    discovery.names.clear();
    for (const std::string& host : hosts) {
      DnsDiscovery::Name& name = discovery.names.emplace_back();
      name.host = host;
      name.port = 80;
    }
    auto cluster = std::make_shared<model::Cluster>();
    cluster->name = "c";
    cluster->discovery = discovery;
    const std::vector<std::shared_ptr<const model::Cluster>> all = {cluster};
    source.follow(all);
    loop.advance(50ms);
  }
  std::vector<std::string> now() const {
    std::vector<std::string> texts;
    for (const auto& endpoint : endpoints) {
      texts.push_back(endpoint.address.to_string());
    }
    return texts;
  }

  sim::SimLoop loop{testing::test_seed()};
  FakeResolver resolver{loop};
  Random random{testing::test_seed()};
  DnsDiscovery discovery;
  std::vector<model::Endpoint> endpoints;
  int published = 0;
  std::string why_empty;
  std::vector<std::string> not_found;
  std::vector<std::string> said;
  DnsSource source{loop,
                   [this](const DnsDiscovery&) -> net::Resolver& { return resolver; },
                   random,
                   {.set_endpoints =
                        [this](const std::string&, std::vector<model::Endpoint> got, std::string why) {
                          endpoints = std::move(got);
                          why_empty = std::move(why);
                          ++published;
                        },
                    .not_found = [this](const std::string&, std::string why) { not_found.push_back(std::move(why)); },
                    .log =
                        [this](LogLevel level, std::string words) {
                          if (level != LogLevel::debug) {
                            said.push_back(std::move(words));
                          }
                        }}};
};

TEST_F(Dns, EachAddressIsAnEndpoint) {
  resolver.set("api/4", {"10.0.0.2", "10.0.0.1", "10.0.0.2"});
  follow();
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
  EXPECT_EQ(endpoints[0].hostname, "api");
  EXPECT_EQ(published, 1);
}

TEST_F(Dns, ItIsAskedAgainAndARotationIsNoChange) {
  resolver.set("api/4", {"10.0.0.1", "10.0.0.2"});
  follow();
  resolver.set("api/4", {"10.0.0.2", "10.0.0.1"});
  loop.advance(5s);
  EXPECT_EQ(resolver.asked.size(), 2U);
  EXPECT_EQ(published, 1);
  resolver.set("api/4", {"10.0.0.3"});
  loop.advance(5s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.3:80"));
}

TEST_F(Dns, TheTtlHoldsWhereItIsRespected) {
  discovery.respect_ttl = true;
  resolver.set("api/4", {"10.0.0.1"}, 30s);
  follow();
  loop.advance(29s);
  EXPECT_EQ(resolver.asked.size(), 1U);
  loop.advance(1s);
  EXPECT_EQ(resolver.asked.size(), 2U);
}

TEST_F(Dns, AFailureKeepsTheLastGood) {
  resolver.set("api/4", {"10.0.0.1"});
  follow();
  resolver.fail("api/4");
  loop.advance(60s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80"));
  EXPECT_EQ(published, 1);
  EXPECT_EQ(source.names()[0].failing, "timeout");
  EXPECT_GT(source.names()[0].age, 50s);
  EXPECT_EQ(source.age(), source.names()[0].age);
  EXPECT_EQ(source.counts().answered, 1U);
  EXPECT_EQ(source.counts().failed, source.names()[0].failures);
  EXPECT_EQ(std::ranges::count_if(said, [](const auto& words) { return words.contains("cannot be resolved"); }), 1);
  resolver.set("api/4", {"10.0.0.2"});
  loop.advance(10s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.2:80"));
  EXPECT_THAT(said, Contains(HasSubstr("'api' is 10.0.0.2, and resolves again")));
}

TEST_F(Dns, AFirstFailureEndsTheWarmingAndSaysWhy) {
  discovery.servers = {Address::parse("10.9.9.9", 53).value()};
  resolver.fail("api/4");
  follow();
  EXPECT_EQ(published, 0) << "what the cluster has, from the disk perhaps, stays";
  EXPECT_THAT(not_found, ElementsAre("'api': timeout (asked: 10.9.9.9:53)"));
  resolver.fail("api/4", "SERVFAIL");
  loop.advance(5s);
  EXPECT_THAT(not_found, ElementsAre(HasSubstr("timeout"), HasSubstr("SERVFAIL")));
  EXPECT_THAT(said, ElementsAre("cluster 'c': 'api' cannot be resolved: timeout (asked: 10.9.9.9:53); it has no "
                                "addresses until DNS answers, and is asked again",
                                HasSubstr("SERVFAIL")));
  resolver.set("api/4", {"10.0.0.1"});
  loop.advance(5s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80"));
}

TEST_F(Dns, ThatThereIsNoSuchNameIsAnAnswer) {
  resolver.set("api/4", {"10.0.0.1"});
  follow();
  resolver.set("api/4", {});
  loop.advance(5s);
  EXPECT_THAT(now(), IsEmpty());
  EXPECT_EQ(why_empty, "'api': there is no such name");
  EXPECT_EQ(source.counts().empty, 1U);
  EXPECT_THAT(said, Contains("cluster 'c': 'api' has no addresses: there is no such name"));
}

TEST_F(Dns, FailuresMayHaveARateOfTheirOwn) {
  discovery.failure_refresh_base = 1s;
  discovery.failure_refresh_max = 8s;
  resolver.fail("api/4");
  follow();
  loop.advance(60s);
  EXPECT_GE(resolver.asked.size(), 8U);
  EXPECT_LE(resolver.asked.size(), 20U);
}

TEST_F(Dns, FamiliesAreAskedAsTheConfigurationSays) {
  resolver.set("api/4", {"10.0.0.1"});
  discovery.family = DnsDiscovery::Family::automatic;
  follow();
  EXPECT_THAT(resolver.asked, ElementsAre("api/6", "api/4"));
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80"));

  resolver.asked.clear();
  resolver.set("api/6", {"::1"});
  discovery.family = DnsDiscovery::Family::all;
  follow();
  EXPECT_THAT(resolver.asked, ElementsAre("api/4", "api/6"));
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80", "[::1]:80"));

  resolver.asked.clear();
  discovery.family = DnsDiscovery::Family::v4_preferred;
  follow();
  EXPECT_THAT(resolver.asked, ElementsAre("api/4"));

  resolver.asked.clear();
  discovery.family = DnsDiscovery::Family::v6_only;
  follow();
  EXPECT_THAT(resolver.asked, ElementsAre("api/6"));
  EXPECT_THAT(now(), ElementsAre("[::1]:80"));
}

TEST_F(Dns, OneFamilyThatFailsTakesNothingAway) {
  discovery.family = DnsDiscovery::Family::automatic;
  resolver.set("api/4", {"10.0.0.1"});
  follow();
  resolver.fail("api/6");
  resolver.set("api/4", {});
  loop.advance(10s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80")) << "an empty answer beside a failure is not believed";
}

TEST_F(Dns, SeveralNamesAndAddressesMakeOneCluster) {
  resolver.set("a/4", {"10.0.0.1"});
  resolver.set("b/4", {"10.0.0.2", "10.0.0.1"});
  resolver.takes["b/4"] = 40ms;
  follow({"a", "b"});
  EXPECT_EQ(published, 1) << "not with half of them";
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80", "10.0.0.1:80", "10.0.0.2:80")) << "two names: two shares, as in Envoy";
}

TEST_F(Dns, ANameThatIsSlowHoldsUpTheOthersForAWhileOnly) {
  resolver.set("a/4", {"10.0.0.1"});
  resolver.set("b/4", {"10.0.0.2"});
  resolver.takes["b/4"] = 12s;
  follow({"a", "b"});
  EXPECT_EQ(published, 0);
  loop.advance(6s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80"));
  loop.advance(6s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
}

TEST_F(Dns, ALogicalClusterFollowsTheFirstAddressAndIsNeverEmptied) {
  discovery.logical = true;
  resolver.set("api/4", {"10.0.0.6", "10.0.0.5"});
  follow();
  EXPECT_THAT(now(), ElementsAre("10.0.0.6:80"));
  resolver.set("api/4", {"10.0.0.6", "10.0.0.9"});
  loop.advance(5s);
  EXPECT_EQ(published, 1);
  resolver.set("api/4", {"10.0.0.5", "10.0.0.6"});
  loop.advance(5s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.5:80"));
  resolver.set("api/4", {});
  loop.advance(5s);
  EXPECT_THAT(now(), ElementsAre("10.0.0.5:80"));
  EXPECT_EQ(source.counts().empty, 1U);
  EXPECT_EQ(source.names("c").at(0).failing, "there is no such name");
}

TEST_F(Dns, AnEndpointIsAsTheConfigurationSaysOfItsName) {
  resolver.set("api/4", {"10.0.0.1"});
  DnsDiscovery::Name name;
  name.host = "api";
  name.port = 8080;
  name.hostname = "api.example";
  name.weight = 3;
  name.priority = 1;
  name.health = model::Endpoint::Health::degraded;
  name.health_check.emplace().port = 9000;
  discovery.names = {name};
  auto cluster = std::make_shared<model::Cluster>();
  cluster->name = "c";
  cluster->discovery = discovery;
  source.follow(std::vector<std::shared_ptr<const model::Cluster>>{cluster});
  loop.advance(50ms);
  ASSERT_EQ(endpoints.size(), 1U);
  EXPECT_EQ(endpoints[0].address.to_string(), "10.0.0.1:8080");
  EXPECT_EQ(endpoints[0].hostname, "api.example");
  EXPECT_EQ(endpoints[0].weight, 3U);
  EXPECT_EQ(endpoints[0].priority, 1U);
  EXPECT_EQ(endpoints[0].health, model::Endpoint::Health::degraded);
  ASSERT_NE(endpoints[0].health_check, nullptr);
  EXPECT_EQ(endpoints[0].health_check->port, 9000);
}

TEST_F(Dns, WhatIsNoLongerFollowedIsNoLongerAsked) {
  resolver.set("api/4", {"10.0.0.1"});
  follow();
  follow();  // the same again
  EXPECT_EQ(resolver.asked.size(), 1U);
  source.follow({});
  loop.advance(60s);
  EXPECT_EQ(resolver.asked.size(), 1U);
  EXPECT_THAT(source.names(), IsEmpty());
}

}  // namespace
}  // namespace remora::sources
