#include "proxy/lifecycle.h"

#include <algorithm>
#include <cassert>

namespace remora::proxy {

Lifecycle::Lifecycle(LifecycleTimes times)
    : times_{.min_drain = std::min(times.min_drain, times.deadline), .deadline = times.deadline} {}

void Lifecycle::enter(State next) {
  assert(next > state_);  // a process never goes back
  state_ = next;
}

void Lifecycle::started() {
  if (state_ == State::starting) {
    enter(State::ready);
  }
}

Lifecycle::Actions Lifecycle::stop(MonotonicTime now) {
  switch (state_) {
    case State::starting:  // nothing was served: nothing to wait for
    case State::draining:  // asked twice
      return quit();
    case State::ready:
      enter(State::draining);
      drain_began_ = now;
      if (listeners_ != Listeners::stopped) {
        listeners_ = Listeners::closing;
        listeners_stop_at_ = now + times_.min_drain;
      }
      return {.drain = true};
    case State::ended:
      break;
  }
  return {};
}

Lifecycle::Actions Lifecycle::quit() {
  if (state_ == State::ended) {
    return {};
  }
  enter(State::ended);
  return {.close_all = true, .end = true};
}

Lifecycle::Actions Lifecycle::drain_listeners(MonotonicTime now, bool graceful, bool never_stop, bool inbound_only) {
  if (state_ != State::ready || listeners_ == Listeners::stopped) {
    return {};
  }
  if (never_stop) {
    return {.drain = true, .inbound_only = inbound_only};
  }
  if (inbound_only) {
    if (graceful) {
      inbound_stop_at_ = inbound_stop_at_.value_or(now + times_.deadline);
      return {.drain = true, .inbound_only = true};
    }
    inbound_stop_at_.reset();
    return {.stop_listening = true, .inbound_only = true};
  }
  if (graceful) {
    if (listeners_ == Listeners::open) {
      listeners_ = Listeners::closing;
      listeners_stop_at_ = now + times_.deadline;
    }
    return {.drain = true};
  }
  listeners_ = Listeners::stopped;
  listeners_stop_at_.reset();
  return {.stop_listening = true};
}

Lifecycle::Actions Lifecycle::advance(MonotonicTime now, std::size_t connections) {
  Actions actions;
  if (state_ != State::ready && state_ != State::draining) {
    return actions;
  }
  if (listeners_stop_at_ && now >= *listeners_stop_at_) {
    listeners_stop_at_.reset();
    inbound_stop_at_.reset();
    listeners_ = Listeners::stopped;
    actions.stop_listening = true;
  }
  if (inbound_stop_at_ && now >= *inbound_stop_at_) {
    inbound_stop_at_.reset();
    actions.stop_listening = actions.inbound_only = true;
  }
  if (state_ == State::draining) {
    const bool minimum_over = now - drain_began_ >= times_.min_drain;
    if (now >= drain_deadline()) {
      enter(State::ended);
      actions.close_all = actions.end = true;
    } else if (minimum_over && connections == 0 && !leaving_) {
      enter(State::ended);
      actions.end = true;
    }
  }
  return actions;
}

std::optional<MonotonicTime> Lifecycle::next_due() const {
  std::optional<MonotonicTime> due = listeners_stop_at_;
  if (inbound_stop_at_) {
    due = std::min(due.value_or(MonotonicTime::max()), *inbound_stop_at_);
  }
  if (state_ == State::draining) {
    due = std::min(due.value_or(MonotonicTime::max()), drain_deadline());
  }
  return state_ == State::ended ? std::nullopt : due;
}

std::string_view Lifecycle::state_name() const {
  switch (state_) {
    case State::starting:
      return "PRE_INITIALIZING";
    case State::ready:
      return health_check_failed_ ? "DRAINING" : "LIVE";
    case State::draining:
    case State::ended:
      break;
  }
  return "DRAINING";
}

}  // namespace remora::proxy
