#include "core/event/timer_queue.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

namespace remora {

void Timer::cancel() {
  if (queue_ != nullptr) {
    queue_->unlink(*this);
  }
}

TimerQueue::~TimerQueue() {
  for (auto& level : slots_) {
    for (Timer* head : level) {
      while (head != nullptr) {
        Timer* timer = head;
        head = timer->next_;
        timer->queue_ = nullptr;
      }
    }
  }
}

void TimerQueue::arm(Timer& timer, MonotonicTime when) {
  assert(timer.fire_ != nullptr);
  timer.cancel();
  timer.tick_ = std::max(ceil_tick(when), now_tick_ + 1);
  timer.queue_ = this;
  ++size_;
  place(timer);
}

void TimerQueue::place(Timer& timer) {
  const std::uint64_t delta = timer.tick_ - now_tick_;
  unsigned level = 0;
  while (level + 1 < kLevels && delta >= (std::uint64_t{1} << (kBits * (level + 1)))) {
    ++level;
  }
  std::uint64_t tick = timer.tick_;
  constexpr std::uint64_t kReach = std::uint64_t{1} << (kBits * kLevels);
  if (delta >= kReach) {
    tick = now_tick_ + kReach - 1;
  }
  const unsigned slot = static_cast<unsigned>(tick >> (kBits * level)) & (kSlots - 1);
  timer.slot_ = static_cast<std::uint16_t>(level * kSlots + slot);
  Timer*& head = slots_[level][slot];
  timer.next_ = head;
  if (head != nullptr) {
    head->link_ = &timer.next_;
  }
  head = &timer;
  timer.link_ = &head;
  occupied_[level] |= std::uint64_t{1} << slot;
}

void TimerQueue::unlink(Timer& timer) {
  *timer.link_ = timer.next_;
  if (timer.next_ != nullptr) {
    timer.next_->link_ = timer.link_;
  }
  const unsigned level = timer.slot_ / kSlots;
  const unsigned slot = timer.slot_ % kSlots;
  if (slots_[level][slot] == nullptr) {
    occupied_[level] &= ~(std::uint64_t{1} << slot);
  }
  timer.queue_ = nullptr;
  --size_;
}

std::uint64_t TimerQueue::next_tick() const {
  std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) {
      continue;
    }
    // Distance in slots, 1 to 64, from the current slot to the next occupied one.
    const std::uint64_t current = now_tick_ >> (kBits * level);
    const std::uint64_t rotated = std::rotr(occupied_[level], static_cast<int>((current + 1) & (kSlots - 1)));
    const std::uint64_t distance = static_cast<std::uint64_t>(std::countr_zero(rotated)) + 1;
    best = std::min(best, (current + distance) << (kBits * level));
  }
  return best;
}

void TimerQueue::cascade(unsigned level) {
  const unsigned slot = static_cast<unsigned>(now_tick_ >> (kBits * level)) & (kSlots - 1);
  Timer* timer = slots_[level][slot];
  slots_[level][slot] = nullptr;
  occupied_[level] &= ~(std::uint64_t{1} << slot);
  while (timer != nullptr) {
    Timer* next = timer->next_;
    place(*timer);
    timer = next;
  }
}

void TimerQueue::advance(MonotonicTime now) {
  const std::uint64_t target = floor_tick(now);
  while (now_tick_ < target) {
    const std::uint64_t next = next_tick();
    if (next > target) {
      now_tick_ = target;
      return;
    }
    now_tick_ = next;
    for (unsigned level = kLevels - 1; level > 0; --level) {
      if ((now_tick_ & ((std::uint64_t{1} << (kBits * level)) - 1)) == 0) {
        cascade(level);
      }
    }
    Timer*& head = slots_[0][now_tick_ & (kSlots - 1)];
    while (head != nullptr) {
      Timer& due = *head;
      unlink(due);
      due.fire_(due.owner_);
    }
  }
}

std::optional<MonotonicTime> TimerQueue::next_due() const {
  const std::uint64_t tick = next_tick();
  if (tick == std::numeric_limits<std::uint64_t>::max()) {
    return std::nullopt;
  }
  return MonotonicTime(Nanoseconds(static_cast<std::int64_t>(tick) * 1'000'000));
}

}  // namespace remora
