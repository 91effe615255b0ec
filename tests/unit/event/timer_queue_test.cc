#include "core/event/timer_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "core/base/random.h"

namespace remora {
namespace {

using std::chrono::milliseconds;

MonotonicTime at(std::int64_t ms) { return MonotonicTime(milliseconds(ms)); }

struct Alarm {
  Alarm() { timer.bind<&Alarm::fire>(this); }
  void fire() {
    ++fired;
    if (then) {
      then();
    }
  }
  Timer timer;
  int fired = 0;
  std::function<void()> then;
};

TEST(TimerQueue, FiresNotBeforeItsTimeAndOnce) {
  TimerQueue queue(at(1000));
  Alarm alarm;
  queue.arm(alarm.timer, at(1005));
  queue.advance(at(1004));
  EXPECT_EQ(alarm.fired, 0);
  queue.advance(at(1005));
  EXPECT_EQ(alarm.fired, 1);
  queue.advance(at(99999));
  EXPECT_EQ(alarm.fired, 1);
  EXPECT_FALSE(alarm.timer.armed());
}

TEST(TimerQueue, RoundsUpToTheNextMillisecond) {
  TimerQueue queue(at(0));
  Alarm alarm;
  queue.arm(alarm.timer, at(5) + std::chrono::microseconds(1));
  queue.advance(at(5));
  EXPECT_EQ(alarm.fired, 0);
  queue.advance(at(6));
  EXPECT_EQ(alarm.fired, 1);
}

TEST(TimerQueue, WhatIsDueAlreadyFiresAtTheNextTick) {
  TimerQueue queue(at(100));
  Alarm alarm;
  queue.arm(alarm.timer, at(50));
  queue.advance(at(101));
  EXPECT_EQ(alarm.fired, 1);
}

TEST(TimerQueue, CancelAndDestructionDisarm) {
  TimerQueue queue(at(0));
  Alarm alarm;
  queue.arm(alarm.timer, at(10));
  alarm.timer.cancel();
  {
    Alarm gone;
    queue.arm(gone.timer, at(10));
  }
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_FALSE(queue.next_due());
  queue.advance(at(20));
  EXPECT_EQ(alarm.fired, 0);
}

TEST(TimerQueue, CallbacksMayArmAndCancelOthers) {
  TimerQueue queue(at(0));
  Alarm first, second, third;
  first.then = [&] {
    second.timer.cancel();
    queue.arm(third.timer, at(10));  // due now: at the next tick
    queue.arm(first.timer, at(500));
  };
  queue.arm(first.timer, at(10));
  queue.arm(second.timer, at(11));
  queue.advance(at(200));
  EXPECT_EQ(first.fired, 1);
  EXPECT_EQ(second.fired, 0);
  EXPECT_EQ(third.fired, 1);
  first.then = {};
  queue.advance(at(500));
  EXPECT_EQ(first.fired, 2);
}

TEST(TimerQueue, NextDueIsNeverLate) {
  TimerQueue queue(at(12345));
  Alarm alarm;
  queue.arm(alarm.timer, at(12345 + 5000));
  int steps = 0;
  while (alarm.fired == 0) {
    const auto due = queue.next_due();
    ASSERT_TRUE(due);
    ASSERT_LE(*due, at(12345 + 5000));
    queue.advance(*due);
    ASSERT_LT(++steps, 10);  // a cascade or two on the way, no ticking
  }
  EXPECT_EQ(steps <= 3, true);
}

// Random arming, cancelling and advancing against a sorted map.
TEST(TimerQueue, AgreesWithASortedMap) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    std::int64_t now = static_cast<std::int64_t>(random.below(1'000'000));
    TimerQueue queue(at(now));
    std::vector<std::unique_ptr<Alarm>> alarms;
    std::vector<std::int64_t> due(64, -1);
    for (int i = 0; i < 64; ++i) {
      alarms.push_back(std::make_unique<Alarm>());
    }
    for (int step = 0; step < 3000; ++step) {
      const auto i = random.below(64);
      switch (random.below(4)) {
        case 0:
        case 1: {
          const auto reach = std::int64_t{1} << random.below(32);
          due[i] = now + 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(reach)));
          alarms[i]->fired = 0;
          queue.arm(alarms[i]->timer, at(due[i]));
          break;
        }
        case 2:
          alarms[i]->timer.cancel();
          due[i] = -1;
          break;
        default: {
          const auto reach = std::int64_t{1} << random.below(30);
          now += static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(reach)));
          queue.advance(at(now));
          for (std::size_t k = 0; k < 64; ++k) {
            if (due[k] >= 0) {
              ASSERT_EQ(alarms[k]->fired, due[k] <= now ? 1 : 0) << "due " << due[k] << " now " << now;
              if (due[k] <= now) {
                due[k] = -1;
                alarms[k]->fired = 0;
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace remora
