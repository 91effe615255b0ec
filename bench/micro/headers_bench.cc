// core/http/message: names to ids, and the list that every filter asks.
#include <array>

#include "bench/micro/allocations.h"
#include "core/http/message.h"

namespace remora::bench {
namespace {

constexpr std::array<std::string_view, 12> kNames = {"host",         "user-agent",   "accept",      "accept-encoding",
                                                     "content-type", "x-request-id", "traceparent", "x-forwarded-for",
                                                     "cookie",       "x-own-header", "sec-ch-ua",   "content-length"};

void header_id_of_a_request(benchmark::State& state) {
  const AllocationScope scope(state);
  for (auto _ : state) {
    for (std::string_view name : kNames) {
      benchmark::DoNotOptimize(http::header_id(name));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kNames.size()));
}
BENCHMARK(header_id_of_a_request);

void header_list_fill_and_find(benchmark::State& state) {
  BlockPool pool;
  {
    Arena warm(pool);
    warm.copy("x");
  }
  const AllocationScope scope(state);
  for (auto _ : state) {
    Arena arena(pool);
    http::HeaderList headers(arena);
    for (std::string_view name : kNames) {
      headers.add(name, "value");
    }
    benchmark::DoNotOptimize(headers.find(http::HeaderId::traceparent));
    benchmark::DoNotOptimize(headers.find(http::HeaderId::b3));
    headers.set(http::HeaderId::x_request_id, "other");
    headers.remove(http::HeaderId::cookie);
  }
}
BENCHMARK(header_list_fill_and_find);

}  // namespace
}  // namespace remora::bench
