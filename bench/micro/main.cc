// bench_micro: Google Benchmark's flags, for instance --benchmark_filter=headers. Exits with 1 when a benchmark of the
// hot path allocated although it promised not to.
#include <benchmark/benchmark.h>

#include "bench/micro/allocations.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return remora::bench::promise_broken() ? 1 : 0;
}
