// Breaker: closed, open, half-open, for one cluster (filter_metadata.remora.breaker; Envoy has none). Closed lets all
// through and counts consecutive failures; at the threshold it opens and rejects at once; after the recovery time it is
// half-open and lets a few probes through: as many successes close it, one failure opens it again. Shared by the
// workers (shared_ptr, outlives a Snapshot); any thread: one atomic word holds the state, and closed costs one relaxed
// load.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

#include "core/base/time.h"
#include "proxy/model/cluster.h"

namespace remora::upstream {

class Breaker {
 public:
  enum class State : std::uint8_t { closed, open, half_open };

  // Called on the thread whose request or answer made the change, with words for the log.
  using OnChange = std::function<void(State from, State to, std::string_view why)>;

  struct Admission {
    enum class Verdict : std::uint8_t { admitted, probe, rejected };
    Verdict verdict = Verdict::admitted;
    // Hand the admission back with the outcome: an answer to a request of an earlier epoch says nothing about this one.
    std::uint16_t epoch = 0;
    // When rejected: until the next probe may go; 0: as soon as a probe that is under way ends.
    Milliseconds retry_after{0};

    bool admitted() const { return verdict != Verdict::rejected; }
  };

  explicit Breaker(const model::Breaker& config, OnChange on_change = {});
  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;

  // The state stays; a threshold of 0 turns the breaker off.
  void reconfigure(const model::Breaker& config);
  bool enabled() const { return threshold_.load(std::memory_order_relaxed) != 0; }

  [[nodiscard]] Admission admit(MonotonicTime now);

  // Exactly one of these for each admission that was not rejected, as soon as the outcome is known (the response's
  // head, not its end). `abandon`: it ended for a reason that says nothing about the cluster, such as a client that
  // left.
  void on_success(const Admission& admission);
  void on_failure(const Admission& admission, MonotonicTime now);
  void abandon(const Admission& admission);

  State state() const { return state_of(word_.load(std::memory_order_relaxed)); }
  // While open: until it may become half-open.
  Milliseconds remaining(MonotonicTime now) const;

  static std::string_view name(State state);

 private:
  // The word: state (2 bits), epoch (16), and 46 that mean, by state,
  //   closed: consecutive failures; open: the millisecond of `MonotonicTime` at which it ends;
  //   half-open: probes under way (low 23), successes (high 23).
  using Word = std::uint64_t;
  static constexpr int kEpochShift = 46;
  static constexpr int kStateShift = 62;
  static constexpr int kSuccessShift = 23;
  static constexpr Word kPayload = (Word{1} << kEpochShift) - 1;
  static constexpr Word kProbes = (Word{1} << kSuccessShift) - 1;

  static State state_of(Word word) { return static_cast<State>(word >> kStateShift); }
  static std::uint16_t epoch_of(Word word) { return static_cast<std::uint16_t>(word >> kEpochShift); }
  static Word make(State state, std::uint16_t epoch, Word payload) {
    return (Word{static_cast<std::uint8_t>(state)} << kStateShift) | (Word{epoch} << kEpochShift) |
           (payload & kPayload);
  }

  Admission admit_slowly(MonotonicTime now, Word word);
  void changed(State from, State to, std::string_view why);

  std::atomic<Word> word_{0};
  std::atomic<std::uint32_t> threshold_{0};
  std::atomic<std::uint32_t> probes_{1};
  std::atomic<std::int64_t> recovery_ms_{0};
  OnChange on_change_;
};

}  // namespace remora::upstream
