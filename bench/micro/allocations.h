// Counts heap allocations: allocations.cc replaces the global operator new and delete of bench_micro. A benchmark holds
// an AllocationScope around its loop and gets the counter `allocs`, allocations an iteration; bench_micro fails when a
// benchmark that promised none has some. Each thread counts its own.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace remora::bench {

std::uint64_t allocations();           // of this thread, so far
void report_broken_promise(double n);  // makes main return 1
bool promise_broken();

enum class Promise { none, no_allocations };

// Counts from construction to destruction, so make it after the warm-up and right before `for (auto _ : state)`.
class AllocationScope {
 public:
  explicit AllocationScope(benchmark::State& state, Promise promise = Promise::no_allocations)
      : state_(state), promise_(promise), before_(allocations()) {}
  AllocationScope(const AllocationScope&) = delete;
  AllocationScope& operator=(const AllocationScope&) = delete;
  ~AllocationScope() {
    const auto count = static_cast<double>(allocations() - before_);
    // A fixed handful (Google Benchmark's own) is no allocation an iteration.
    const double each = count <= kHandful ? 0 : count / static_cast<double>(state_.iterations());
    state_.counters["allocs"] = each;
    if (promise_ == Promise::no_allocations && each > 1e-4) {
      report_broken_promise(each);
    }
  }

 private:
  static constexpr double kHandful = 8;

  benchmark::State& state_;
  Promise promise_;
  std::uint64_t before_;
};

}  // namespace remora::bench
