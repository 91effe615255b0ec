#include "tests/sim/sim_loop.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace remora::sim {
namespace {

constexpr int kTurnsOfAnInstant = 100'000;  // more: something waits for itself

}  // namespace

void SimLoop::at(Nanoseconds after, std::function<void()> work) {
  events_.push({now_ + after, random_.next(), next_sequence_++, std::move(work)});
}

void SimLoop::settle() {
  for (int turn = 0; turn < kTurnsOfAnInstant; ++turn) {
    std::vector<std::function<void()>> due;
    while (!events_.empty() && events_.top().at <= now_) {
      due.push_back(events_.top().work);
      events_.pop();
    }
    for (auto& work : due) {
      work();
    }
    finish_turn();
    if ((events_.empty() || events_.top().at > now_) && !has_next_turn()) {
      return;
    }
  }
  throw std::runtime_error("the simulated loop turns for ever at one instant");
}

void SimLoop::advance(Nanoseconds time) {
  const MonotonicTime target = now_ + time;
  settle();
  while (true) {
    MonotonicTime next = MonotonicTime::max();
    if (!events_.empty()) {
      next = events_.top().at;
    }
    if (const auto due = timers().next_due()) {
      next = std::min(next, *due);
    }
    if (next > target) {
      break;
    }
    now_ = std::max(now_, next);
    settle();
  }
  now_ = target;
  settle();
}

}  // namespace remora::sim
