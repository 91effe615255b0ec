// TimerQueue: a hierarchical timing wheel that an outside caller advances, so that a libevent loop and a simulated one
// share it. Arm and cancel are O(1) and allocate nothing. Owned by a Loop; its thread only.
// Resolution is one millisecond: a timer never fires early, and at most a tick late.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/time.h"

namespace remora {

class TimerQueue;

// One deadline, a member of what it concerns: cancels when it dies. The queue must outlive an armed timer.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  // `timer.bind<&Exchange::on_timeout>(this)`: what to call when it fires.
  template <auto Method, typename Owner>
  void bind(Owner* owner) {
    owner_ = owner;
    fire_ = [](void* target) { (static_cast<Owner*>(target)->*Method)(); };
  }

  bool armed() const { return queue_ != nullptr; }
  void cancel();

 private:
  friend class TimerQueue;

  TimerQueue* queue_ = nullptr;
  Timer* next_ = nullptr;
  Timer** link_ = nullptr;
  std::uint64_t tick_ = 0;
  std::uint16_t slot_ = 0;
  void* owner_ = nullptr;
  void (*fire_)(void*) = nullptr;
};

class TimerQueue {
 public:
  explicit TimerQueue(MonotonicTime start) : now_tick_(floor_tick(start)) {}
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();

  // REQUIRES: the timer is bound. An armed timer moves.
  void arm(Timer& timer, MonotonicTime when);

  // Fires all that is due at `now`, in order of time. Callbacks may arm and cancel any timer.
  void advance(MonotonicTime now);

  // When `advance` next has work: never later than the earliest deadline, sometimes earlier. Empty: nothing is armed.
  std::optional<MonotonicTime> next_due() const;

  std::size_t size() const { return size_; }

 private:
  friend class Timer;
  static constexpr unsigned kLevels = 5;  // 64^5 ms: twelve days; what is later waits in the last level again
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1u << kBits;

  static std::uint64_t floor_tick(MonotonicTime t) {
    return static_cast<std::uint64_t>(t.time_since_epoch().count()) / 1'000'000;
  }
  static std::uint64_t ceil_tick(MonotonicTime t) {
    return (static_cast<std::uint64_t>(t.time_since_epoch().count()) + 999'999) / 1'000'000;
  }

  void place(Timer& timer);
  void unlink(Timer& timer);
  void cascade(unsigned level);
  std::uint64_t next_tick() const;  // UINT64_MAX: nothing

  std::array<std::array<Timer*, kSlots>, kLevels> slots_{};
  std::array<std::uint64_t, kLevels> occupied_{};
  std::uint64_t now_tick_;
  std::size_t size_ = 0;
};

}  // namespace remora
