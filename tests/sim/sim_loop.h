// SimLoop: the loop of a simulated world. Its clock moves only in `advance`; what happens at one instant happens in an
// order that the seed decides, so that another seed tries another interleaving. Owned by a test; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "core/base/random.h"
#include "core/event/loop.h"

namespace remora::sim {

class SimLoop final : public Loop {
 public:
  explicit SimLoop(std::uint64_t seed) : Loop(MonotonicTime(Seconds(1'000))), random_(seed) {}
  ~SimLoop() override { destroy_retired(); }

  MonotonicTime precise_now() override { return now_; }
  WallTime wall_now() override { return WallTime(Seconds(1'700'000'000) + now_.time_since_epoch()); }
  void post(std::function<void()> work) override { at(Nanoseconds(0), std::move(work)); }

  // Runs `work` after that time, in a turn of the loop.
  void at(Nanoseconds after, std::function<void()> work);
  // Lets this much time pass, and everything that happens in it.
  void advance(Nanoseconds time);
  // Runs what is due now, however many turns that takes.
  void settle();

 private:
  struct Event {
    MonotonicTime at;
    std::uint64_t tie;
    std::uint64_t sequence;
    std::function<void()> work;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      if (a.at != b.at) {
        return a.at > b.at;
      }
      return a.tie != b.tie ? a.tie > b.tie : a.sequence > b.sequence;
    }
  };

  Random random_;
  std::uint64_t next_sequence_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
};

}  // namespace remora::sim
