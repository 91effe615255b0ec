// Scrape: adds up what the workers counted, and what the process is, as prometheus-cpp's MetricFamily values. Made for
// one scrape; main thread, while the workers write.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "metrics/registry.h"

namespace remora::metrics {

class Collector : public prometheus::Collectable {
 public:
  explicit Collector(const Registry& registry) : registry_(registry) {}

  // In the catalog's order, series sorted by labels; families without series are left out.
  std::vector<prometheus::MetricFamily> Collect() const override;
  // What prometheus::TextSerializer makes of that, byte for byte; a test holds the two together.
  std::string text() const;

 private:
  template <typename Sheet>
  void fill(Sheet& sheet) const;

  const Registry& registry_;
};

}  // namespace remora::metrics
