// What a Consul 1.20.1 answered, as values.
#include "control/catalog/consul_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace remora::catalog {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string answer(const std::string& name) {
  std::ifstream stream(REMORA_CONSUL + name + ".json");
  std::ostringstream out;
  out << stream.rdbuf();
  EXPECT_FALSE(out.str().empty()) << name;
  return out.str();
}

FileName file() { return std::make_shared<const std::string>("Consul (dc1)"); }

template <typename T>
std::shared_ptr<const T> only(const std::string& kind) {
  const auto answers = read_entries_answer(answer(kind), file());
  EXPECT_TRUE(answers && answers->size() == 1) << kind;
  const EntryAnswer& one = answers->front();
  EXPECT_THAT(one.errors, IsEmpty()) << one.errors.front().to_string();
  EXPECT_GT(one.modify_index, 0U);
  EXPECT_EQ(head_of(*one.entry).place.to_string(), "Consul (dc1) " + kind + "/" + one.name);
  return std::get<std::shared_ptr<const T>>(*one.entry);
}

TEST(ConsulAnswers, EntriesOfEachKind) {
  EXPECT_EQ(only<ServiceDefaults>("service-defaults")->upstream_defaults->passive_health_check->interval, Seconds(10));
  EXPECT_EQ(only<ServiceDefaults>("service-defaults")->extensions.breaker->probes, 2U);
  EXPECT_TRUE(only<ProxyDefaults>("proxy-defaults")->allow_unauthenticated);
  const auto router = only<ServiceRouter>("service-router");
  EXPECT_EQ(router->routes.at(0).destination.request_timeout, Seconds(5));
  EXPECT_EQ(router->routes.at(0).destination.idle_timeout, Seconds(-1));
  EXPECT_EQ(only<ServiceSplitter>("service-splitter")->splits.at(0).weight, 9950U);
  const auto resolver = only<ServiceResolver>("service-resolver");
  EXPECT_EQ(resolver->connect_timeout, Seconds(3));
  EXPECT_EQ(resolver->load_balancer->hash_policies.at(0).cookie_ttl, Seconds(3600));
  EXPECT_EQ(only<ServiceIntentions>("service-intentions")->sources.at(0).permissions.size(), 1U);
}

TEST(ConsulAnswers, AnInstanceAndItsSidecar) {
  config::ConfigErrors errors;
  const auto web = read_instances(answer("service-web"), answer("connect-web"), file(), errors);
  ASSERT_TRUE(web);
  EXPECT_THAT(errors, IsEmpty());
  ASSERT_EQ(web->size(), 1U);
  const Service& one = web->front();
  EXPECT_EQ(one.id, "web");
  EXPECT_EQ(one.address, "127.0.0.1");  // the node's
  EXPECT_EQ(one.port, 9000);
  EXPECT_EQ(one.health, Health::passing);
  ASSERT_TRUE(one.sidecar);
  EXPECT_EQ(one.sidecar->id, "web-sidecar-proxy");
  EXPECT_EQ(one.sidecar->port, 21000);
  EXPECT_EQ(one.sidecar->health, Health::critical);
  EXPECT_EQ(one.sidecar->proxy.upstreams.at(0).config.connect_timeout, Milliseconds(250));
  EXPECT_EQ(one.sidecar->proxy.config.extensions.fault->delay, Seconds(1));
  EXPECT_EQ(one.node->datacenter, "dc1");
}

TEST(ConsulAnswers, AnInstanceWithoutSidecar) {
  config::ConfigErrors errors;
  const auto api = read_instances(answer("service-api"), answer("connect-api"), file(), errors);
  ASSERT_TRUE(api);
  const Service& one = api->front();
  EXPECT_EQ(one.address, "10.0.0.2");
  EXPECT_THAT(one.tags, ElementsAre("v1"));
  EXPECT_EQ(one.weights, (Weights{10, 2}));
  EXPECT_EQ(one.health, Health::warning);
  EXPECT_FALSE(one.sidecar);
}

TEST(ConsulAnswers, ASidecarWhoseServiceIsNotRegistered) {
  config::ConfigErrors errors;
  const auto web = read_instances("", answer("connect-web"), file(), errors);
  ASSERT_TRUE(web);
  EXPECT_EQ(web->front().name, "web");
  EXPECT_EQ(web->front().port, 9000);
  EXPECT_TRUE(web->front().sidecar);
}

TEST(ConsulAnswers, AnEntryThatIsWrongStandsAlone) {
  const auto answers = read_entries_answer(
      R"([{"Kind": "service-router", "Name": "a", "Routes": [{"Destination": {"NewKey": 1}}], "ModifyIndex": 7},
          {"Kind": "service-router", "Name": "b", "Routes": null, "NewEmptyKey": {}}])",
      file());
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 2U);
  EXPECT_FALSE(answers->at(0).entry);
  EXPECT_THAT(answers->at(0).errors.at(0).to_string(),
              testing::StartsWith("Consul (dc1): service-router/a.routes[0].destination.NewKey: no such key"));
  EXPECT_TRUE(answers->at(1).entry);
}

TEST(ConsulAnswers, WhatIsNoAnswer) {
  config::ConfigErrors errors;
  for (const char* text : {"", "{}", "[1]", "no", "[{}]", "{\"a\": [}"}) {
    EXPECT_FALSE(read_instances(*text == '\0' ? "{" : text, "", file(), errors)) << text;
  }
  EXPECT_FALSE(read_entries_answer("{\"Kind\": 1}", file()));
  EXPECT_FALSE(read_service_names("[]"));
  EXPECT_FALSE(read_agent_facts("{}"));
}

TEST(ConsulAnswers, WhatAnAgentSaysOfItself) {
  const auto facts = read_agent_facts(answer("self"));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->datacenter, "dc1");
  EXPECT_TRUE(facts->allow_by_default);
  const auto denies = read_agent_facts(
      R"({"Config": {"Datacenter": "x"}, "DebugConfig": {"ACLResolverSettings": {"ACLsEnabled": true, "ACLDefaultPolicy": "deny"}}})");
  EXPECT_FALSE(denies->allow_by_default);
  const auto allows = read_agent_facts(
      R"({"Config": {"Datacenter": "x"}, "DebugConfig": {"DefaultIntentionPolicy": "allow", "ACLResolverSettings": {"ACLsEnabled": true, "ACLDefaultPolicy": "deny"}}})");
  EXPECT_TRUE(allows->allow_by_default);
  EXPECT_THAT(*read_service_names(R"({"web": [], "api": ["v1"]})"), ElementsAre("api", "web"));
}

}  // namespace
}  // namespace remora::catalog
