// core/base: what every exchange does first and last.
#include "bench/micro/allocations.h"
#include "core/base/arena.h"

namespace remora::bench {
namespace {

// An exchange's life: a block from the pool, a head's worth of text, and all of it back.
void arena_exchange(benchmark::State& state) {
  BlockPool pool;
  {
    Arena warm(pool);
    warm.copy("x");
  }
  const AllocationScope scope(state);
  for (auto _ : state) {
    Arena arena(pool);
    for (int i = 0; i < 16; ++i) {
      benchmark::DoNotOptimize(arena.copy("x-forwarded-for: 10.0.0.1"));
    }
  }
}
BENCHMARK(arena_exchange);

}  // namespace
}  // namespace remora::bench
