// metrics: what one exchange counts when it ends, and what a scrape costs main.
#include "bench/micro/allocations.h"
#include "metrics/registry.h"

namespace remora::bench {
namespace {

void metrics_record_request(benchmark::State& state) {
  metrics::Registry registry({});
  metrics::RequestSeries* series = registry.add_worker().requests("web", "default", "app");
  std::int64_t ns = 0;
  const AllocationScope scope(state);
  for (auto _ : state) {
    ns = (ns * 25 + 77'777) % 3'000'000;
    series->record(200, 0, Nanoseconds(ns), Nanoseconds(ns / 2), Nanoseconds(ns / 100), 0, 128);
  }
}
BENCHMARK(metrics_record_request);

// 100 series in each of two workers.
void metrics_scrape(benchmark::State& state) {
  metrics::Registry registry({});
  for (int worker = 0; worker < 2; ++worker) {
    metrics::WorkerMetrics& metrics = registry.add_worker();
    for (int i = 0; i < 100; ++i) {
      metrics.requests("web", "route" + std::to_string(i), "app")
          ->record(200, 0, Nanoseconds(100'000), Nanoseconds(50'000), Nanoseconds(9'000), 0, 128);
    }
  }
  const AllocationScope scope(state, Promise::none);
  for (auto _ : state) {
    benchmark::DoNotOptimize(registry.scrape());
  }
}
BENCHMARK(metrics_scrape)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace remora::bench
