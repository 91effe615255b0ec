#include "proxy/upstream/circuit_breaker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace remora::upstream {
namespace {

std::int64_t milliseconds_of(MonotonicTime time) {
  return std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Breaker::Breaker(const model::Breaker& config, OnChange on_change) : on_change_(std::move(on_change)) {
  reconfigure(config);
}

void Breaker::reconfigure(const model::Breaker& config) {
  recovery_ms_.store(std::max<std::int64_t>(config.recovery_time.count(), 1), std::memory_order_relaxed);
  probes_.store(std::clamp<std::uint32_t>(config.probes, 1, kProbes), std::memory_order_relaxed);
  threshold_.store(config.failure_threshold, std::memory_order_relaxed);
}

Breaker::Admission Breaker::admit(MonotonicTime now) {
  const Word word = word_.load(std::memory_order_relaxed);
  if (state_of(word) == State::closed) [[likely]] {
    return {Admission::Verdict::admitted, epoch_of(word), Milliseconds(0)};
  }
  if (!enabled()) {
    return {Admission::Verdict::admitted, epoch_of(word), Milliseconds(0)};
  }
  return admit_slowly(now, word);
}

Breaker::Admission Breaker::admit_slowly(MonotonicTime now, Word word) {
  while (true) {
    const std::uint16_t epoch = epoch_of(word);
    switch (state_of(word)) {
      case State::closed:
        return {Admission::Verdict::admitted, epoch, Milliseconds(0)};
      case State::open: {
        const std::int64_t left = static_cast<std::int64_t>(word & kPayload) - milliseconds_of(now);
        if (left > 0) {
          return {Admission::Verdict::rejected, epoch, Milliseconds(left)};
        }
        const auto next = static_cast<std::uint16_t>(epoch + 1);
        if (word_.compare_exchange_weak(word, make(State::half_open, next, 1), std::memory_order_relaxed)) {
          changed(State::open, State::half_open, "the recovery time is over: probes may go");
          return {Admission::Verdict::probe, next, Milliseconds(0)};
        }
        break;
      }
      case State::half_open: {
        // No more probes than successes that are still wanted.
        const Word payload = word & kPayload;
        const Word under_way = payload & kProbes;
        const Word successes = payload >> kSuccessShift;
        if (under_way + successes >= probes_.load(std::memory_order_relaxed)) {
          return {Admission::Verdict::rejected, epoch, Milliseconds(0)};
        }
        if (word_.compare_exchange_weak(word, word + 1, std::memory_order_relaxed)) {
          return {Admission::Verdict::probe, epoch, Milliseconds(0)};
        }
        break;
      }
    }
  }
}

void Breaker::on_success(const Admission& admission) {
  Word word = word_.load(std::memory_order_relaxed);
  while (epoch_of(word) == admission.epoch) {
    if (state_of(word) == State::closed) {
      if ((word & kPayload) == 0 ||
          word_.compare_exchange_weak(word, make(State::closed, admission.epoch, 0), std::memory_order_relaxed)) {
        return;
      }
      continue;
    }
    if (state_of(word) != State::half_open || admission.verdict != Admission::Verdict::probe) {
      return;
    }
    const Word payload = word & kPayload;
    const Word successes = (payload >> kSuccessShift) + 1;
    if (successes >= probes_.load(std::memory_order_relaxed)) {
      const auto next = static_cast<std::uint16_t>(admission.epoch + 1);
      if (word_.compare_exchange_weak(word, make(State::closed, next, 0), std::memory_order_relaxed)) {
        changed(State::half_open, State::closed, fmt::format("{} probes succeeded", successes));
        return;
      }
    } else if (word_.compare_exchange_weak(
                   word, make(State::half_open, admission.epoch, payload - 1 + (Word{1} << kSuccessShift)),
                   std::memory_order_relaxed)) {
      return;
    }
  }
}

void Breaker::on_failure(const Admission& admission, MonotonicTime now) {
  const std::uint32_t threshold = threshold_.load(std::memory_order_relaxed);
  if (threshold == 0) {
    abandon(admission);
    return;
  }
  const Word until = static_cast<Word>(milliseconds_of(now) + recovery_ms_.load(std::memory_order_relaxed));
  const auto next = static_cast<std::uint16_t>(admission.epoch + 1);
  Word word = word_.load(std::memory_order_relaxed);
  while (epoch_of(word) == admission.epoch) {
    if (state_of(word) == State::closed) {
      const Word failures = (word & kPayload) + 1;
      const bool opens = failures >= threshold;
      const Word wanted = opens ? make(State::open, next, until) : make(State::closed, admission.epoch, failures);
      if (word_.compare_exchange_weak(word, wanted, std::memory_order_relaxed)) {
        if (opens) {
          changed(State::closed, State::open, fmt::format("{} consecutive failures", failures));
        }
        return;
      }
      continue;
    }
    if (state_of(word) != State::half_open || admission.verdict != Admission::Verdict::probe) {
      return;
    }
    if (word_.compare_exchange_weak(word, make(State::open, next, until), std::memory_order_relaxed)) {
      changed(State::half_open, State::open, "a probe failed");
      return;
    }
  }
}

void Breaker::abandon(const Admission& admission) {
  if (admission.verdict != Admission::Verdict::probe) {
    return;
  }
  Word word = word_.load(std::memory_order_relaxed);
  while (epoch_of(word) == admission.epoch && state_of(word) == State::half_open) {
    if (word_.compare_exchange_weak(word, word - 1, std::memory_order_relaxed)) {
      return;
    }
  }
}

Milliseconds Breaker::remaining(MonotonicTime now) const {
  const Word word = word_.load(std::memory_order_relaxed);
  if (state_of(word) != State::open) {
    return Milliseconds(0);
  }
  return Milliseconds(std::max<std::int64_t>(static_cast<std::int64_t>(word & kPayload) - milliseconds_of(now), 0));
}

std::string_view Breaker::name(State state) {
  switch (state) {
    case State::closed:
      return "closed";
    case State::open:
      return "open";
    case State::half_open:
      return "half-open";
  }
  return "";
}

void Breaker::changed(State from, State to, std::string_view why) {
  if (on_change_) {
    on_change_(from, to, why);
  }
}

}  // namespace remora::upstream
