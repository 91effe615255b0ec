#include "proxy/upstream/circuit_breaker.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "core/base/random.h"
#include "tests/seed.h"

namespace remora::upstream {
namespace {

using Verdict = Breaker::Admission::Verdict;

struct Breakers : ::testing::Test {
  model::Breaker config{.failure_threshold = 3, .recovery_time = Milliseconds(1000), .probes = 2};
  std::vector<std::string> log;
  MonotonicTime now{Seconds(100)};
  Breaker breaker{config, [this](Breaker::State from, Breaker::State to, std::string_view why) {
                    log.push_back(std::string(Breaker::name(from)) + ">" + std::string(Breaker::name(to)) + ": " +
                                  std::string(why));
                  }};

  void fail() { breaker.on_failure(breaker.admit(now), now); }
  void open() {
    for (int i = 0; i < 3; ++i) {
      fail();
    }
  }
};

TEST_F(Breakers, OpensAfterConsecutiveFailuresOnly) {
  fail();
  fail();
  breaker.on_success(breaker.admit(now));
  fail();
  fail();
  EXPECT_EQ(breaker.state(), Breaker::State::closed);
  fail();
  EXPECT_EQ(breaker.state(), Breaker::State::open);
  EXPECT_EQ(log, std::vector<std::string>{"closed>open: 3 consecutive failures"});
}

TEST_F(Breakers, RejectsWhileOpenAndSaysForHowLong) {
  open();
  now += Milliseconds(400);
  const auto admission = breaker.admit(now);
  EXPECT_FALSE(admission.admitted());
  EXPECT_EQ(admission.retry_after, Milliseconds(600));
  EXPECT_EQ(breaker.remaining(now), Milliseconds(600));
}

TEST_F(Breakers, LetsProbesThroughAndClosesWhenTheySucceed) {
  open();
  now += Milliseconds(1000);
  const auto first = breaker.admit(now);
  const auto second = breaker.admit(now);
  EXPECT_EQ(first.verdict, Verdict::probe);
  EXPECT_EQ(second.verdict, Verdict::probe);
  EXPECT_EQ(breaker.admit(now).verdict, Verdict::rejected);
  breaker.on_success(first);
  EXPECT_EQ(breaker.admit(now).verdict, Verdict::rejected) << "one success and one under way are all that it wants";
  EXPECT_EQ(breaker.state(), Breaker::State::half_open);
  breaker.on_success(second);
  EXPECT_EQ(breaker.state(), Breaker::State::closed);
  EXPECT_EQ(breaker.admit(now).verdict, Verdict::admitted);
  EXPECT_EQ(log.back(), "half-open>closed: 2 probes succeeded");
}

TEST_F(Breakers, OneFailedProbeOpensAgain) {
  open();
  now += Milliseconds(1000);
  const auto first = breaker.admit(now);
  const auto second = breaker.admit(now);
  breaker.on_failure(first, now);
  EXPECT_EQ(breaker.state(), Breaker::State::open);
  EXPECT_EQ(breaker.admit(now).retry_after, Milliseconds(1000));
  breaker.on_success(second);
  EXPECT_EQ(breaker.state(), Breaker::State::open) << "a probe of the time before says nothing now";
  now += Milliseconds(1000);
  EXPECT_EQ(breaker.admit(now).verdict, Verdict::probe);
}

TEST_F(Breakers, AnAbandonedProbeMakesRoom) {
  open();
  now += Milliseconds(1000);
  const auto first = breaker.admit(now);
  (void)breaker.admit(now);
  EXPECT_FALSE(breaker.admit(now).admitted());
  breaker.abandon(first);
  EXPECT_EQ(breaker.admit(now).verdict, Verdict::probe);
}

TEST_F(Breakers, OldAnswersDoNotCount) {
  const auto old = breaker.admit(now);
  open();
  breaker.on_success(old);
  EXPECT_EQ(breaker.state(), Breaker::State::open);
  now += Milliseconds(1000);
  const auto a = breaker.admit(now);
  const auto b = breaker.admit(now);
  breaker.on_failure(old, now);
  EXPECT_EQ(breaker.state(), Breaker::State::half_open);
  breaker.on_success(a);
  breaker.on_success(b);
  breaker.on_failure(old, now);
  fail();
  fail();
  EXPECT_EQ(breaker.state(), Breaker::State::closed) << "two of this time, and one of an earlier one";
}

TEST_F(Breakers, OffLetsAllThrough) {
  open();
  breaker.reconfigure({});
  EXPECT_TRUE(breaker.admit(now).admitted());
  Breaker off{model::Breaker{}};
  for (int i = 0; i < 1000; ++i) {
    off.on_failure(off.admit(now), now);
  }
  EXPECT_EQ(off.state(), Breaker::State::closed);
}

TEST_F(Breakers, NeverMoreProbesThanAllowedAcrossThreads) {
  REMORA_TRACE_SEED();
  Breaker shared{{.failure_threshold = 1, .recovery_time = Milliseconds(1), .probes = 2}};
  std::atomic<int> probes{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(testing::test_seed() + t);
      MonotonicTime clock(Seconds(1));
      for (int i = 0; i < 20'000; ++i) {
        clock += Microseconds(100);
        const auto admission = shared.admit(clock);
        if (!admission.admitted()) {
          continue;
        }
        const bool probe = admission.verdict == Verdict::probe;
        if (probe && probes.fetch_add(1) >= 4) {  // 2, and 2 of an epoch that a failure just ended
          exceeded = true;
        }
        const std::uint64_t fate = random.below(3);
        if (probe) {
          probes.fetch_sub(1);
        }
        fate == 0   ? shared.on_failure(admission, clock)
        : fate == 1 ? shared.on_success(admission)
                    : shared.abandon(admission);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_FALSE(exceeded);
}

}  // namespace
}  // namespace remora::upstream
