// Watch: one thing in Consul, followed: blocking queries one after the other by Consul's rules for their index, with
// back-off on failures and a least interval between questions; or polls, where there is no index to block on. Answers
// whose body did not change are not passed on. Owned by whoever follows; the client's loop's thread.
// Source: Consul's API documentation, "Blocking queries" (implementation details).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/random.h"
#include "core/base/result.h"
#include "core/consul/client.h"
#include "core/event/loop.h"

namespace remora::consul {

struct WatchOptions {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query{};
  Milliseconds poll_interval{0};       // 0: block; else ask that often
  Milliseconds wait{60'000};           // how long Consul may keep a question, when nothing changes
  Milliseconds answer_within{10'000};  // on top of `wait` and the sixteenth of it that Consul may add
  Milliseconds least_interval{100};    // between the beginnings of two questions
  Milliseconds first_backoff{200};
  Milliseconds most_backoff{30'000};
  // Not empty: an answer from which Consul's ACLs took something is a failure, and this names what the token needs. An
  // answer of nobody to a blocking query is then asked for once more without blocking: only such a one says so.
  std::string permissions{};
};

// What a follower hears. Never from inside a call of its own; it may destroy the watch.
class WatchEvents {
 public:
  // A new body. `after_gap`: something was or may have been lost before it: an outage, an index that went back, a
  // cluster without leader. The error: why the follower cannot use it; it is then a failure like any other.
  virtual Result<void> on_answer(const std::string& body, bool after_gap) = 0;
  // The same as before, but confirmed now. `after_gap` as above.
  virtual void on_unchanged(bool after_gap) { (void)after_gap; }
  // No answer, or one of no use; the watch goes on.
  virtual void on_failure(const Failure& failure) = 0;

 protected:
  ~WatchEvents() = default;
};

class Watch {
 public:
  Watch(Client& client, Random& random, WatchOptions options, WatchEvents& events);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  std::uint64_t index() const { return index_; }

 private:
  void ask();
  void on_outcome(Outcome outcome);
  void on_success(const Answer& answer);
  void on_failure(Failure failure);
  void take_index(const Answer& answer);
  Nanoseconds jittered_backoff();

  // Constant after construction.
  Client& client_;
  Random& random_;
  const WatchOptions options_;
  WatchEvents& events_;

  std::uint64_t index_ = 0;       // to block on; 0: ask without one
  std::uint64_t connection_ = 0;  // by which the last answer came
  std::uint64_t hash_ = 0;        // of the last body that was passed on
  bool answered_ = false;         // since the start: hash_ means something
  bool gap_ = false;              // since the last answer
  bool blocked_ = false;          // the question under way has an index
  bool look_twice_ = false;       // the next one is to have none
  std::uint32_t failures_ = 0;    // in a row
  MonotonicTime asked_at_;
  Timer next_;
  std::unique_ptr<Pending> call_;
};

// WatchOptions::permissions of a question about a service's health.
std::string health_permissions(const std::string& service);

}  // namespace remora::consul
