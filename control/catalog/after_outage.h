// AfterOutage: for how long, after an outage of Consul, an answer that takes everything away is not believed: a
// restarted agent knows nothing yet, and first reports every check critical. A value; any thread.
#pragma once

#include "core/base/time.h"

namespace remora::catalog {

class AfterOutage {
 public:
  // The first answer after a gap (consul::WatchEvents) came at `now`. True: the doubt begins now, or begins anew after
  // it was over.
  bool gap(MonotonicTime now, Nanoseconds hold) {
    const bool begins = !doubts(now);
    until_ = now + hold;
    return begins;
  }
  bool doubts(MonotonicTime now) const { return now < until_; }
  MonotonicTime until() const { return until_; }

 private:
  MonotonicTime until_{};
};

}  // namespace remora::catalog
