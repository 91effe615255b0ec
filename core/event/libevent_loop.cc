#include "core/event/libevent_loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>

namespace remora {
namespace {

MonotonicTime read_clock() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return MonotonicTime(Nanoseconds(ts.tv_sec * 1'000'000'000LL + ts.tv_nsec));
}

}  // namespace

LibeventLoop::LibeventLoop() : Loop(read_clock()) {
  event_config* config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  if (base_ == nullptr) {
    throw std::runtime_error("libevent has no edge-triggered backend here: epoll is needed");
  }
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd_ < 0) {
    throw std::runtime_error("eventfd failed: out of file descriptors?");
  }
  wake_event_ = event_new(base_, wake_fd_, EV_READ | EV_PERSIST, &LibeventLoop::on_wake, this);
  event_add(wake_event_, nullptr);
  timer_event_ = event_new(
      base_, -1, 0, [](int, short, void* self) { static_cast<LibeventLoop*>(self)->timer_at_ = MonotonicTime::max(); },
      this);
}

LibeventLoop::~LibeventLoop() {
  destroy_retired();
  event_free(timer_event_);
  event_free(wake_event_);
  close(wake_fd_);
  event_base_free(base_);
}

void LibeventLoop::refresh_now() {
  now_ = read_clock();
  now_is_fresh_ = true;
}

MonotonicTime LibeventLoop::precise_now() { return read_clock(); }

WallTime LibeventLoop::wall_now() {
  return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now());
}

void LibeventLoop::run() {
  refresh_now();
  finish_turn();
  while (!stopping_.load(std::memory_order_relaxed)) {
    rearm();
    now_is_fresh_ = false;
    event_base_loop(base_, EVLOOP_ONCE | (has_next_turn() ? EVLOOP_NONBLOCK : 0));
    enter_turn();
    finish_turn();
  }
}

// libevent's timer is moved only when it would come too late: most timers of a request are cancelled before they are
// due, and waking once for nothing is cheaper than moving it for each.
void LibeventLoop::rearm() {
  const auto due = timers().next_due();
  if (!due || *due >= timer_at_) {
    return;
  }
  timer_at_ = *due;
  const auto wait = std::max(Nanoseconds(0), *due - now_) + Microseconds(999);
  timeval tv{};
  tv.tv_sec = std::chrono::duration_cast<Seconds>(wait).count();
  tv.tv_usec = std::chrono::duration_cast<Microseconds>(wait % Seconds(1)).count();
  event_add(timer_event_, &tv);
}

void LibeventLoop::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  wake();
}

void LibeventLoop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof(one));
}

void LibeventLoop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  wake();
}

void LibeventLoop::on_wake(int fd, short, void* self) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(fd, &count, sizeof(count));
  auto* loop = static_cast<LibeventLoop*>(self);
  loop->enter_turn();
  loop->run_posted();
}

void LibeventLoop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) {
    item();
  }
}

}  // namespace remora
