// stub until F's
#pragma once

#include "core/base/random.h"
#include "core/base/time.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

class OutlierDetector {
 public:
  explicit OutlierDetector(const model::OutlierDetection&) {}
  void add(EndpointHealth&) {}
  void on_response(EndpointHealth&, int, MonotonicTime, Random&) {}
  void on_local_failure(EndpointHealth&, bool, MonotonicTime, Random&) {}
};

}  // namespace remora::upstream
