// EventLog: where parts that know no logger say what happens to connections, for whoever debugs. Costs a look at one
// flag when nobody listens. Implemented by the sidecar over spdlog; any thread.
#pragma once

#include <string>

namespace remora {

class EventLog {
 public:
  virtual bool wants_debug() const = 0;
  virtual void debug(const std::string& words) = 0;

 protected:
  ~EventLog() = default;
};

// `words()` makes the text, and is called only when somebody listens. `log` may be null.
template <typename Words>
void debug(EventLog* log, Words&& words) {
  if (log != nullptr && log->wants_debug()) [[unlikely]] {
    log->debug(words());
  }
}

}  // namespace remora
