// A service's life at its agent, in virtual time.
#include "core/consul/registration.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/sim/fake_consul.h"

namespace remora::consul {
namespace {

class RegistrationTest : public testing::Test {
 protected:
  static Agent agent() { return {Address::parse("10.1.0.1", 8500).value(), "10.1.0.1:8500", ""}; }
  static ServiceDefinition api() {
    ServiceDefinition service;
    service.name = "api";
    service.id = "api-1";
    service.port = 9001;
    service.tags = {"v1"};
    service.meta = {{"version", "1"}};
    service.check_http = "http://127.0.0.1:9001/health";
    service.deregister_critical_after = Milliseconds(60'000);
    return service;
  }
  void start(ServiceDefinition service) {
    registration_ = std::make_unique<Registration>(client_, random_, std::move(service),
                                                   [this](const std::string& words) { told_.push_back(words); });
    loop_.advance(Milliseconds(20));
  }

  BlockPool blocks_;
  std::array<char, 16 * 1024> scratch_{};
  sim::SimLoop loop_{1};
  sim::SimNetwork network_{loop_, 1};
  Random random_{1};
  sim::FakeConsul consul_{loop_, network_, agent().address};
  Client client_{net::ConnectionContext{loop_, blocks_, scratch_}, network_,
                 ClientOptions{.agents = {agent()}, .token = {}}};
  std::vector<std::string> told_;
  std::unique_ptr<Registration> registration_;
};

TEST_F(RegistrationTest, SaysWhatConsulNeeds) {
  start(api());
  ASSERT_EQ(consul_.asked().size(), 1U);
  EXPECT_EQ(consul_.asked().front().method, "PUT");
  EXPECT_EQ(consul_.asked().front().target, "/v1/agent/service/register?replace-existing-checks=true");
  EXPECT_EQ(consul_.asked().front().body,
            R"({"Name":"api","ID":"api-1","Port":9001,"Tags":["v1"],"Meta":{"version":"1"},)"
            R"("Weights":{"Passing":1,"Warning":1},"Checks":[{"CheckID":"app:api-1","Name":"api: the service itself",)"
            R"("HTTP":"http://127.0.0.1:9001/health","Interval":"10000ms","Timeout":"5000ms",)"
            R"("DeregisterCriticalServiceAfter":"60000ms"},{"CheckID":"remora:api-1","Name":"api: its remora-proxy",)"
            R"("TTL":"15000ms","Status":"passing","DeregisterCriticalServiceAfter":"60000ms"}]})");
  EXPECT_EQ(registration_->state(), Registration::State::registered);
}

TEST_F(RegistrationTest, RefreshesItsOwnCheckThreeTimesInItsTtl) {
  start(api());
  loop_.advance(Seconds(60));
  EXPECT_EQ(consul_.asked("/v1/agent/check/pass/remora%3Aapi-1"), 12U - 1U);
}

TEST_F(RegistrationTest, RegistersAgainWhenTheAgentForgot) {
  start(api());
  bool forgot = true;
  consul_.on_put = [&](const sim::FakeConsul::Asked& asked) -> std::pair<int, std::string> {
    if (asked.target.starts_with("/v1/agent/service/register")) {
      forgot = false;
    }
    return forgot ? std::pair<int, std::string>(404, "Unknown check ID \"remora:api-1\"")
                  : std::pair<int, std::string>(200, "");
  };
  loop_.advance(Seconds(6));
  EXPECT_EQ(consul_.asked("/v1/agent/service/register"), 2U);
  EXPECT_EQ(registration_->state(), Registration::State::registered);
}

TEST_F(RegistrationTest, WaitsForAnAgentThatIsNotThereYet) {
  consul_.stop();
  start(api());
  loop_.advance(Seconds(60));
  EXPECT_EQ(registration_->state(), Registration::State::registering);
  EXPECT_NE(registration_->failing().find("cannot connect"), std::string::npos);
  EXPECT_EQ(told_.size(), 1U);
  consul_.start();
  loop_.advance(Seconds(16));
  EXPECT_EQ(registration_->state(), Registration::State::registered);
  EXPECT_EQ(told_.size(), 2U);
}

TEST_F(RegistrationTest, LeavesOnDrain) {
  start(api());
  bool gone = false;
  registration_->leave(Seconds(5), [&](bool really) { gone = really; });
  EXPECT_FALSE(gone);
  loop_.advance(Seconds(1));
  EXPECT_TRUE(gone);
  EXPECT_EQ(consul_.asked().back().target, "/v1/agent/service/deregister/api-1");
  loop_.advance(Seconds(60));
  EXPECT_EQ(consul_.asked().back().target, "/v1/agent/service/deregister/api-1");
}

TEST_F(RegistrationTest, LeavingEndsInTimeWhenConsulIsGone) {
  start(api());
  consul_.mode = sim::FakeConsul::Mode::hangs;
  bool called = false;
  bool gone = true;
  registration_->leave(Seconds(3), [&](bool really) {
    called = true;
    gone = really;
    registration_.reset();
  });
  loop_.advance(Seconds(4));
  EXPECT_TRUE(called);
  EXPECT_FALSE(gone);
}

}  // namespace
}  // namespace remora::consul
