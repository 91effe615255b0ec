// Time as the whole program speaks of it. Time is passed in, never asked of a global clock: a worker's Loop
// (event/loop.h) hands out MonotonicTime, in production from CLOCK_MONOTONIC, in scenarios from a virtual clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace remora {

using Nanoseconds = std::chrono::nanoseconds;
using Microseconds = std::chrono::microseconds;
using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

// Nanoseconds since an arbitrary origin; never goes back.
struct MonotonicClock {
  using duration = Nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, duration>;
  static constexpr bool is_steady = true;
};
using MonotonicTime = MonotonicClock::time_point;

// Calendar time, for logs and the Date header only.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Nanoseconds>;

}  // namespace remora
