// Lifecycle: from start to end of the process, as a state machine that does nothing itself: each event returns what is
// to be done now. Time is passed in, so that tests drive it. Owned by Sidecar; main thread.
//
//   starting → ready → draining → ended
//
// A drain, since its beginning: /ready fails and answers say `Connection: close` at once; connections are still
// accepted for `min_drain`, so that peers, load balancers and DNS notice; then the end comes at zero connections, or at
// the deadline whatever still runs. Where the proxy is registered somewhere, the end waits for its leaving too. A
// second request to stop ends at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/time.h"

namespace remora::proxy {

struct LifecycleTimes {
  Nanoseconds min_drain = Seconds(5);
  Nanoseconds deadline = Seconds(25);  // a `min_drain` past it is cut to it
};

class Lifecycle {
 public:
  enum class State : std::uint8_t { starting, ready, draining, ended };
  enum class Listeners : std::uint8_t { open, closing, stopped };

  // What the caller is to do, in the order of the members.
  struct Actions {
    bool drain = false;           // answers say close; idle connections close
    bool stop_listening = false;  // no more connections
    bool close_all = false;       // the deadline is here
    bool end = false;             // leave the main loop
    bool inbound_only = false;    // drain and stop_listening: of inbound listeners

    friend bool operator==(const Actions&, const Actions&) = default;
  };

  explicit Lifecycle(LifecycleTimes times);

  // Every listener is open. No effect once a stop was asked for.
  void started();
  // SIGTERM, SIGINT.
  [[nodiscard]] Actions stop(MonotonicTime now);
  // /quitquitquit, or a start that failed: no drain.
  [[nodiscard]] Actions quit();
  // /drain_listeners: the process goes on. Graceful: answers say close, and listeners stop after the drain time.
  // `inbound_only`: only those; all the others go on as they are.
  [[nodiscard]] Actions drain_listeners(MonotonicTime now, bool graceful, bool never_stop, bool inbound_only = false);
  // Call when time passed or a connection closed; at `next_due` at the latest.
  [[nodiscard]] Actions advance(MonotonicTime now, std::size_t connections);
  // When `advance` has something to do whatever connections do.
  std::optional<MonotonicTime> next_due() const;

  // Draining, something else than connections is to end first: the registry is told.
  void set_leaving(bool leaving) { leaving_ = leaving; }
  void set_health_check_failed(bool failed) { health_check_failed_ = failed; }

  State state() const { return state_; }
  Listeners listeners() const { return listeners_; }
  bool is_ready() const { return state_ == State::ready && !health_check_failed_; }
  // As /ready and /server_info print it: PRE_INITIALIZING, LIVE, DRAINING.
  std::string_view state_name() const;
  // Since when, and until when, it drains. REQUIRES: draining.
  MonotonicTime drain_began() const { return drain_began_; }
  MonotonicTime drain_deadline() const { return drain_began_ + times_.deadline; }

 private:
  void enter(State next);

  const LifecycleTimes times_;
  State state_ = State::starting;
  Listeners listeners_ = Listeners::open;
  bool health_check_failed_ = false;
  bool leaving_ = false;
  MonotonicTime drain_began_{};
  std::optional<MonotonicTime> listeners_stop_at_;
  std::optional<MonotonicTime> inbound_stop_at_;
};

}  // namespace remora::proxy
