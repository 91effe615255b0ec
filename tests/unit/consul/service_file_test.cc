// Service definitions as people write them.
#include "core/consul/service_file.h"

#include <gtest/gtest.h>

namespace remora::consul {
namespace {

TEST(ServiceFile, ReadsConsulsOwnWords) {
  config::ConfigErrors errors;
  const ServiceDefinition service = parse_service(
      "service:\n  {name: web, id: web-1, Port: 21000, tags: [v1, blue], meta: {version: '1'}, weights: {passing: 2},\n"
      "   check: {HTTP: 'http://127.0.0.1:9000/health', interval: 1m30s, timeout: 500ms,\n"
      "           DeregisterCriticalServiceAfter: 1h}, proxy_ttl: 20s}\n",
      "web.yaml", errors);
  for (const config::ConfigError& error : errors) {
    ADD_FAILURE() << error.to_string();
  }
  EXPECT_EQ(service.name, "web");
  EXPECT_EQ(service.id, "web-1");
  EXPECT_EQ(service.port, 21000);
  EXPECT_EQ(service.tags, (std::vector<std::string>{"v1", "blue"}));
  EXPECT_EQ(service.meta, (StringMap{{"version", "1"}}));
  EXPECT_EQ(service.weight_passing, 2U);
  EXPECT_EQ(service.check_http, "http://127.0.0.1:9000/health");
  EXPECT_EQ(service.interval, Milliseconds(90'000));
  EXPECT_EQ(service.timeout, Milliseconds(500));
  EXPECT_EQ(service.deregister_critical_after, Milliseconds(3'600'000));
  EXPECT_EQ(service.ttl, Milliseconds(20'000));
}

TEST(ServiceFile, ASidecarIsPassedOnInConsulsKeys) {
  config::ConfigErrors errors;
  const ServiceDefinition service = parse_service(
      "connect: {sidecar_service: {port: 21000, proxy: {config: {bind_address: 0.0.0.0, local_x: '7'},\n"
      "  upstreams: [{destination_name: api, LocalBindPort: 9191}], expose: {checks: true}}}}\n"
      "name: web\nid: web-1\nport: 9000\n",
      "web.yaml", errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(
      service.sidecar,
      R"({"Port":21000,"Proxy":{"Config":{"bind_address":"0.0.0.0","local_x":"7"},)"
      R"("Upstreams":[{"DestinationName":"api","LocalBindPort":9191}],"Expose":{"Checks":true}},)"
      R"("Checks":[{"Name":"Connect Sidecar Listening","TCP":"127.0.0.1:21000","Interval":"10s","Status":"passing"},)"
      R"({"Name":"Connect Sidecar Aliasing web-1","AliasService":"web-1"}]})");
}

TEST(ServiceFile, ASidecarsOwnChecksAreLeftAlone) {
  config::ConfigErrors errors;
  const ServiceDefinition service = parse_service(
      "{name: web, port: 9000, connect: {sidecar_service: {port: 21000, check: {ttl: 5s}}}}", "web.yaml", errors);
  EXPECT_EQ(service.sidecar, R"({"Port":21000,"Check":{"Ttl":"5s"}})");
}

TEST(ServiceFile, ErrorsNamePlaceAndExpectation) {
  config::ConfigErrors errors;
  (void)parse_service("name: web\nport: 99999\nchek: {}\ntags: v1\ncheck: {interval: soon}\n", "web.yaml", errors);
  std::string all;
  for (const config::ConfigError& error : errors) {
    all += error.to_string() + "\n";
  }
  for (const std::string_view words :
       {"web.yaml:2:7: service.port: expected a whole number of at most 65535", "web.yaml:3:1: service.chek",
        "(did you mean 'check'?)", "web.yaml:4:7: service.tags: expected a list",
        "service.check.interval: expected a duration such as 10s",
        "service.check: expected exactly one of http and tcp"}) {
    EXPECT_NE(all.find(words), std::string::npos) << words << "\nin\n" << all;
  }
}

}  // namespace
}  // namespace remora::consul
