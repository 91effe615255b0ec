#include "core/event/libevent_loop.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

namespace remora {
namespace {

struct Step {
  Step(std::string& log_in, char mark_in) : log(log_in), mark(mark_in) { task.bind<&Step::run>(this); }
  void run() {
    log += mark;
    if (then) {
      then();
    }
  }
  std::string& log;
  char mark;
  Task task;
  std::function<void()> then;
};

struct Gone : Retirable {
  explicit Gone(std::string& log_in) : log(log_in) {}
  ~Gone() override { log += 'x'; }
  std::string& log;
};

TEST(LibeventLoop, ATurnHasItsOrder) {
  LibeventLoop loop;
  std::string log;
  Step end(log, 'e'), over(log, 'o'), late(log, 'l'), next(log, 'n');
  loop.post([&] {
    log += 'p';
    loop.retire(std::make_unique<Gone>(log));
    loop.at_turn_over(over.task);
    loop.at_turn_end(end.task);
    loop.at_turn_end(end.task);  // once is enough
    loop.next_turn(next.task);
  });
  over.then = [&] { loop.at_turn_end(late.task); };  // what the accounts cause still belongs to the turn
  next.then = [&] { loop.stop(); };
  loop.run();
  // "next" is added during the events of a turn, so it runs in that turn's task phase.
  EXPECT_EQ(log, "pneolx");
}

TEST(LibeventLoop, TimersFireAndTheClockMoves) {
  LibeventLoop loop;
  struct Alarm {
    explicit Alarm(LibeventLoop& loop_in) : loop(loop_in) { timer.bind<&Alarm::fire>(this); }
    void fire() {
      fired_at = loop.now();
      loop.stop();
    }
    LibeventLoop& loop;
    Timer timer;
    MonotonicTime fired_at{};
  } alarm(loop);
  const MonotonicTime begin = loop.precise_now();
  loop.arm(alarm.timer, Milliseconds(20));
  loop.run();
  EXPECT_GE(alarm.fired_at - begin, Milliseconds(19));
}

TEST(LibeventLoop, OthersReachItByPost) {
  LibeventLoop loop;
  std::thread::id ran_on;
  std::thread other([&] {
    loop.post([&] {
      ran_on = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.run();
  other.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace remora
