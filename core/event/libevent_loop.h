// LibeventLoop: a Loop on a libevent base of its own, without libevent's locks: other threads reach it through `post`
// alone, which wakes it by an eventfd. Created and run on its thread (create, then hand to the thread, is fine).
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "core/event/loop.h"

struct event_base;
struct event;

namespace remora {

class LibeventLoop final : public Loop {
 public:
  LibeventLoop();
  ~LibeventLoop() override;

  // Runs turns until `stop`.
  void run();
  // Any thread.
  void stop();

  MonotonicTime precise_now() override;
  WallTime wall_now() override;
  void post(std::function<void()> work) override;

  event_base* base() { return base_; }

  // Every readiness callback calls this first: the first of a turn reads the clock.
  void enter_turn() {
    if (!now_is_fresh_) {
      refresh_now();
    }
  }

 private:
  void refresh_now();
  void rearm();
  void run_posted();
  void wake();
  static void on_wake(int fd, short what, void* self);

  event_base* base_ = nullptr;
  event* timer_event_ = nullptr;
  event* wake_event_ = nullptr;
  int wake_fd_ = -1;
  MonotonicTime timer_at_ = MonotonicTime::max();  // when timer_event_ fires; max: not added
  bool now_is_fresh_ = false;
  std::atomic<bool> stopping_{false};

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace remora
