// What Consul answers, and what it never should.
#include "core/consul/health_json.h"

#include <gtest/gtest.h>

namespace remora::consul {
namespace {

constexpr std::string_view kEntry = R"([{
  "Node": {"ID": "40e4a748", "Node": "foobar", "Address": "10.1.10.12", "Datacenter": "dc1",
           "TaggedAddresses": {"lan": "10.1.10.12"}, "Meta": {"instance_type": "t2.medium"}},
  "Service": {"Kind": "connect-proxy", "ID": "redis-sidecar", "Service": "redis-sidecar-proxy", "Tags": ["primary"],
              "Address": "10.1.10.13", "TaggedAddresses": {"wan": {"Address": "198.18.1.2", "Port": 80}},
              "Meta": {"redis_version": "4.0"}, "Port": 8000, "Weights": {"Passing": 10, "Warning": 2},
              "EnableTagOverride": true, "Proxy": {"DestinationServiceName": "redis", "LocalServicePort": 6379},
              "Connect": {"Native": true}, "Unknown": [1, {"x": null}]},
  "Checks": [{"Node": "foobar", "CheckID": "service:redis", "Name": "c", "Status": "warning", "Notes": "n",
              "Output": "long", "ServiceID": "redis1", "ServiceName": "redis", "ServiceTags": ["primary"]}]}])";

TEST(HealthJson, ReadsAnEntry) {
  const auto entries = parse_health(kEntry);
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 1U);
  const HealthEntry& entry = entries->front();
  EXPECT_EQ(entry.node.datacenter, "dc1");
  EXPECT_EQ(entry.node.meta, (StringMap{{"instance_type", "t2.medium"}}));
  EXPECT_EQ(entry.service.kind, "connect-proxy");
  EXPECT_EQ(entry.service.tags, std::vector<std::string>{"primary"});
  EXPECT_EQ(entry.service.tagged_addresses.front().second, (ServiceAddress{"198.18.1.2", 80}));
  EXPECT_EQ(entry.service.port, 8000);
  EXPECT_EQ(entry.service.weight_passing, 10);
  EXPECT_EQ(entry.service.destination_service_name, "redis");
  EXPECT_TRUE(entry.service.connect_native);
  EXPECT_TRUE(entry.service.enable_tag_override);
  EXPECT_EQ(entry.checks.front().status, "warning");
  EXPECT_EQ(entry.checks.front().output, "");
  EXPECT_EQ(parse_health(kEntry, {.keep_output = true})->front().checks.front().output, "long");
}

TEST(HealthJson, NullsAndGapsAreEmpty) {
  const auto entries =
      parse_health(R"([{"Node": null, "Service": {"Tags": null, "Meta": null, "Port": 1}, "Checks": null}, {}])");
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_EQ(entries->front().service.port, 1);
  EXPECT_EQ(entries->back(), HealthEntry{});
  EXPECT_TRUE(parse_health("[]")->empty());
}

TEST(HealthJson, ReadsPreparedQueries) {
  const std::string body = R"({"Service": "redis", "Nodes": )" + std::string(kEntry) + R"(, "Failovers": 1})";
  EXPECT_EQ(parse_prepared_query(body)->size(), 1U);
  EXPECT_TRUE(parse_prepared_query(R"({"Nodes": null})")->empty());
  EXPECT_FALSE(parse_prepared_query("[]"));
}

TEST(HealthJson, ErrorsNameThePlace) {
  struct Row {
    std::string_view body;
    std::string_view words;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"", "the answer is not JSON: The document is empty. at byte 0"},
           {"<html>", "not JSON"},
           {"[{]", "not JSON"},
           {"{}", "the body: expected a list, not an object"},
           {"[1]", "[0]: expected an object, not a number"},
           {"[{}, {\"Service\": []}]", "[1].Service: expected an object, not a list"},
           {"[{\"Service\": {\"Port\": 1.5}}]", "[0].Service.Port: expected a whole number, not a number"},
           {"[{\"Service\": {\"Tags\": [\"a\", 1]}}]", "[0].Service.Tags[1]: expected text, not a number"},
           {"[{\"Service\": {\"Meta\": {\"a\": true}}}]", "[0].Service.Meta.a: expected text, not a boolean"},
           {"[{\"Checks\": [{\"Status\": {}}]}]", "[0].Checks[0].Status: expected text, not an object"},
       }) {
    const auto entries = parse_health(row.body);
    ASSERT_FALSE(entries) << row.body;
    EXPECT_NE(entries.error().message.find(row.words), std::string::npos) << entries.error().message;
  }
}

TEST(HealthJson, DeepNestingEndsNoStack) {
  const std::string deep = "[{\"Service\":{\"X\":" + std::string(500'000, '[') + std::string(500'000, ']') + "}}]";
  EXPECT_NE(parse_health(deep).error().message.find("nested deeper than 100 levels"), std::string::npos);
}

}  // namespace
}  // namespace remora::consul
