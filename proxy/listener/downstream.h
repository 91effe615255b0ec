// Downstream: what a Listener owns for each connection that it accepted: an HTTP Session or a TcpSession, in an
// intrusive list. Worker thread.
#pragma once

#include "core/event/loop.h"
#include "metrics/series.h"

namespace remora::proxy {

class Downstream : public Retirable {
 public:
  // The configuration went away, or the proxy goes: ends as soon as it may.
  virtual void drain() = 0;
  // Ends it here, whatever is in flight.
  virtual void abort() = 0;

  Downstream* next = nullptr;  // in the listener's list
  Downstream* previous = nullptr;
  bool http = false;                          // a Session
  metrics::ListenerSeries* series = nullptr;  // that it counts in: the listener may take another name
};

}  // namespace remora::proxy
