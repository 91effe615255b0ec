// The client and the watch against a fake agent, in virtual time: Consul's rules for blocking queries, and each failure
// by its name.
#include "core/consul/watch.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "core/consul/health_json.h"
#include "tests/sim/fake_consul.h"

namespace remora::consul {
namespace {

using sim::FakeConsul;

struct Follower final : WatchEvents {
  Result<void> on_answer(const std::string& body, bool after_gap) override {
    auto entries = parse_health(body);
    if (!entries) {
      return std::unexpected(entries.error());
    }
    answers.push_back(entries->size());
    gaps.push_back(after_gap);
    return {};
  }
  void on_unchanged(bool) override { ++unchanged; }
  void on_failure(const Failure& failure) override { failures.push_back(failure); }

  std::vector<std::size_t> answers;
  std::vector<bool> gaps;
  std::size_t unchanged = 0;
  std::vector<Failure> failures;
};

class WatchTest : public testing::Test {
 protected:
  WatchTest() { agent_.set_service("api", {{.id = "api-1"}}); }

  void watch(WatchOptions more = {}) {
    more.path = "/v1/health/service/api";
    watch_ = std::make_unique<Watch>(*client_, random_, more, follower_);
    loop_.advance(Milliseconds(50));
  }
  void use_agents(std::vector<Agent> agents, std::function<Result<std::string>()> token = {}) {
    ClientOptions options;
    options.agents = std::move(agents);
    options.token = std::move(token);
    options.max_body = 100'000;
    client_ = std::make_unique<Client>(net::ConnectionContext{loop_, blocks_, scratch_}, network_, options);
  }

  static Agent agent_at(const char* ip) { return {Address::parse(ip, 8500).value(), std::string(ip) + ":8500", ""}; }

  BlockPool blocks_;
  std::array<char, 16 * 1024> scratch_{};
  sim::SimLoop loop_{1};
  sim::SimNetwork network_{loop_, 1};
  Random random_{1};
  FakeConsul agent_{loop_, network_, agent_at("10.1.0.1").address};
  std::unique_ptr<Client> client_ =
      std::make_unique<Client>(net::ConnectionContext{loop_, blocks_, scratch_}, network_,
                               ClientOptions{.agents = {agent_at("10.1.0.1")}, .token = {}});
  Follower follower_;
  std::unique_ptr<Watch> watch_;
};

TEST_F(WatchTest, BlocksOnTheIndexAndHearsOfAChangeAtOnce) {
  watch();
  EXPECT_EQ(follower_.answers, std::vector<std::size_t>{1});
  loop_.advance(Seconds(30));
  EXPECT_EQ(agent_.asked("/v1/health"), 2U);  // one without an index, one that waits
  EXPECT_NE(agent_.asked().back().target.find("index=11&wait=60000ms"), std::string::npos)
      << agent_.asked().back().target;
  agent_.set_service("api", {{.id = "api-1"}, {.id = "api-2", .port = 81}});
  loop_.advance(Milliseconds(10));
  EXPECT_EQ(follower_.answers, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(follower_.gaps, (std::vector<bool>{false, false}));
  EXPECT_EQ(agent_.connections(), 1U);
}

TEST_F(WatchTest, AnIndexWithoutAChangeIsNotPassedOn) {
  watch();
  loop_.advance(Seconds(1));
  agent_.touch();
  loop_.advance(Milliseconds(10));
  EXPECT_EQ(follower_.answers.size(), 1U);
  EXPECT_EQ(follower_.unchanged, 1U);
}

TEST_F(WatchTest, WaitsThatEndWithoutAChangeConfirmWhatIsKnown) {
  watch();
  loop_.advance(Seconds(61));
  EXPECT_EQ(follower_.unchanged, 1U);
  EXPECT_TRUE(follower_.failures.empty());
}

TEST_F(WatchTest, ManyChangesAskAtMostTenTimesASecond) {
  watch();
  for (int i = 0; i < 1000; ++i) {
    agent_.touch();
    loop_.advance(Milliseconds(1));
  }
  EXPECT_LE(agent_.asked("/v1/health"), 14U);
}

TEST_F(WatchTest, AnIndexThatGoesBackBeginsAnew) {
  watch();
  agent_.restart(3, /*forget=*/false);
  agent_.set_service("api", {});
  loop_.advance(Seconds(2));
  ASSERT_EQ(follower_.answers, (std::vector<std::size_t>{1, 0}));
  EXPECT_TRUE(follower_.gaps.back());
  EXPECT_EQ(watch_->index(), 4U);
}

TEST_F(WatchTest, AnIndexOfZeroDoesNotSpin) {
  agent_.mode = FakeConsul::Mode::zero_index;
  watch();
  EXPECT_EQ(watch_->index(), 1U);
  loop_.advance(Seconds(2));
  EXPECT_LE(agent_.asked("/v1/health"), 22U);
}

TEST_F(WatchTest, EachFailureHasItsName) {
  struct Row {
    FakeConsul::Mode mode;
    Failure::Reason reason;
    const char* words;
  };
  for (const Row& row : std::initializer_list<Row>{
           {FakeConsul::Mode::no_leader, Failure::Reason::no_leader, "500, No cluster leader"},
           {FakeConsul::Mode::errors, Failure::Reason::status, "500, rpc error making call: oops"},
           {FakeConsul::Mode::forbidden, Failure::Reason::refused, "403, ACL not found (no token was sent)"},
           {FakeConsul::Mode::garbage, Failure::Reason::malformed, "not JSON: Invalid value. at byte 0"},
           {FakeConsul::Mode::wrong_shape, Failure::Reason::malformed,
            "[0].Service.Port: expected a whole number, not text"},
           {FakeConsul::Mode::hangs, Failure::Reason::timeout, "no answer within 10000 ms"},
       }) {
    follower_.failures.clear();
    agent_.mode = row.mode;
    watch();
    loop_.advance(Seconds(11));
    ASSERT_FALSE(follower_.failures.empty()) << row.words;
    EXPECT_EQ(follower_.failures.front().reason, row.reason) << follower_.failures.front().words;
    EXPECT_NE(follower_.failures.front().words.find(row.words), std::string::npos) << follower_.failures.front().words;
    EXPECT_NE(follower_.failures.front().words.find("Consul at 10.1.0.1:8500, GET /v1/health/service/api"),
              std::string::npos)
        << follower_.failures.front().words;
    watch_.reset();
  }
}

TEST_F(WatchTest, AnAgentThatIsNotThereIsNamed) {
  agent_.stop();
  watch();
  ASSERT_FALSE(follower_.failures.empty());
  EXPECT_EQ(follower_.failures.front().reason, Failure::Reason::connect);
  network_.set_reach(agent_at("10.1.0.1").address, sim::Reach::blackhole);
  follower_.failures.clear();
  loop_.advance(Seconds(5));
  ASSERT_FALSE(follower_.failures.empty());
  EXPECT_NE(follower_.failures.back().words.find("no connection within 2000 ms"), std::string::npos);
}

TEST_F(WatchTest, BacksOffUntilItIsWellAgain) {
  agent_.mode = FakeConsul::Mode::errors;
  watch();
  loop_.advance(Seconds(120));
  const std::size_t asked = agent_.asked("/v1/health");
  EXPECT_GE(asked, 8U);
  EXPECT_LE(asked, 20U);
  agent_.mode = FakeConsul::Mode::well;
  loop_.advance(Seconds(31));
  ASSERT_EQ(follower_.answers.size(), 1U);
  EXPECT_TRUE(follower_.gaps.back());
}

TEST_F(WatchTest, AHangingAgentIsNoticedWhileItBlocks) {
  watch();
  loop_.advance(Milliseconds(200));
  agent_.mode = FakeConsul::Mode::hangs;
  agent_.touch();  // the question that waits gets its answer; the next one does not
  loop_.advance(Seconds(80));
  ASSERT_FALSE(follower_.failures.empty());
  EXPECT_EQ(follower_.failures.front().reason, Failure::Reason::timeout);
}

TEST_F(WatchTest, AnswersWithoutALeaderAreAGap) {
  agent_.mode = FakeConsul::Mode::stale_leaderless;
  watch();
  ASSERT_EQ(follower_.gaps.size(), 1U);
  EXPECT_TRUE(follower_.gaps.front());
}

TEST_F(WatchTest, AStreamedAnswerIsNoGapWhateverItSaysOfLeaders) {
  agent_.mode = FakeConsul::Mode::streams;
  watch();
  ASSERT_EQ(follower_.gaps.size(), 1U);
  EXPECT_FALSE(follower_.gaps.front());
}

TEST_F(WatchTest, TakesTheNextAgentWhenOneDies) {
  FakeConsul second(loop_, network_, agent_at("10.1.0.2").address);
  second.set_service("api", {{.id = "api-1"}, {.id = "api-2"}});
  use_agents({agent_at("10.1.0.1"), agent_at("10.1.0.2")});
  watch();
  EXPECT_EQ(follower_.answers, std::vector<std::size_t>{1});
  agent_.stop();
  loop_.advance(Seconds(1));
  EXPECT_EQ(follower_.answers, (std::vector<std::size_t>{1, 2}));
  EXPECT_TRUE(follower_.gaps.back());
  watch_.reset();
  second.stop();
}

TEST_F(WatchTest, AnAnswerOverTheLimitIsRefused) {
  use_agents({agent_at("10.1.0.1")});
  agent_.set("/v1/health/service/api", "[" + std::string(200'000, ' ') + "]");
  watch();
  loop_.advance(Seconds(1));
  ASSERT_FALSE(follower_.failures.empty());
  EXPECT_EQ(follower_.failures.front().reason, Failure::Reason::too_large);
}

TEST_F(WatchTest, TheTokenIsReadAnewForEachQuestion) {
  const std::string path = testing::TempDir() + "/remora-consul-token";
  std::ofstream(path) << "secret-1\n";
  use_agents({agent_at("10.1.0.1")}, token_from_file(path));
  watch();
  EXPECT_EQ(agent_.asked().front().token, "secret-1");
  std::ofstream(path) << "secret-2\n";
  agent_.touch();
  loop_.advance(Seconds(1));
  EXPECT_EQ(agent_.asked().back().token, "secret-2");
  std::remove(path.c_str());
  agent_.touch();
  loop_.advance(Seconds(1));
  EXPECT_EQ(agent_.asked().back().token, "secret-2");
}

TEST_F(WatchTest, ATokenFileThatIsNotThereIsNamed) {
  use_agents({agent_at("10.1.0.1")}, token_from_file("/nowhere/token"));
  watch();
  ASSERT_FALSE(follower_.failures.empty());
  EXPECT_EQ(follower_.failures.front().reason, Failure::Reason::token);
  EXPECT_NE(follower_.failures.front().words.find("/nowhere/token: No such file"), std::string::npos);
}

TEST_F(WatchTest, AKeptConnectionThatTheAgentClosedCostsNothing) {
  std::size_t answers = 0;
  std::unique_ptr<Pending> call;
  const auto ask = [&] {
    call = client_->start({.path = "/v1/health/service/api"}, [&](Outcome outcome) { answers += outcome ? 1 : 0; });
  };
  ask();
  loop_.advance(Seconds(1));
  agent_.stop();
  agent_.start();  // the reset is on its way as the next question leaves
  ask();
  loop_.advance(Seconds(1));
  EXPECT_EQ(answers, 2U);
}

TEST_F(WatchTest, ACallThatDiesIsNotHeardOf) {
  bool heard = false;
  auto call = client_->start({.path = "/v1/health/service/api"}, [&](Outcome) { heard = true; });
  loop_.advance(Milliseconds(1));
  call.reset();
  loop_.advance(Seconds(1));
  EXPECT_FALSE(heard);
}

TEST(Agents, AreWrittenAsConsulWritesThem) {
  const auto two = parse_agents("127.0.0.1:8501,http://[::1]:8500/");
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(two->at(0).authority, "127.0.0.1:8501");
  EXPECT_EQ(two->at(1).address.to_string(), "[::1]:8500");
  EXPECT_EQ(parse_agents("10.0.0.1")->front().address.port(), 8500);
  EXPECT_EQ(parse_agents("::1")->front().address.to_string(), "[::1]:8500");
  EXPECT_EQ(parse_agents("unix:///run/consul.sock")->front().address.to_string(), "/run/consul.sock");
  EXPECT_EQ(parse_agents("https://127.0.0.1")->front().tls_server, "127.0.0.1");
  EXPECT_EQ(parse_agents("https://127.0.0.1")->front().address.port(), 8501);
  EXPECT_NE(parse_agents("1.2.3.4:99999").error().message.find("'99999' is no port"), std::string::npos);
  EXPECT_FALSE(parse_agents(""));
  EXPECT_FALSE(parse_agents("a,,b"));
  EXPECT_FALSE(parse_agents("http://host/path"));
}

}  // namespace
}  // namespace remora::consul
