// proxy/filters: ids and trace headers, which every request gets.
#include "bench/micro/allocations.h"
#include "proxy/filters/request_id.h"
#include "proxy/filters/tracing.h"

namespace remora::bench {
namespace {

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

void parse_traceparent(benchmark::State& state) {
  const AllocationScope scope(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(proxy::parse_traceparent(kParent));
  }
}
BENCHMARK(parse_traceparent);

void trace(benchmark::State& state, bool continued) {
  BlockPool pool;
  {
    Arena warm(pool);
    warm.copy("x");
  }
  Random random(1);
  const model::Tracing tracing;
  const AllocationScope scope(state);
  for (auto _ : state) {
    Arena arena(pool);
    http::RequestHead head(arena);
    head.headers.add(http::HeaderId::user_agent, "bench");
    if (continued) {
      head.headers.add(http::HeaderId::traceparent, kParent);
    }
    proxy::RequestInfo info;
    proxy::continue_or_begin_trace(head, &tracing, random, info);
    benchmark::DoNotOptimize(info.trace_id);
  }
}
BENCHMARK_CAPTURE(trace, begin, false);
BENCHMARK_CAPTURE(trace, continue, true);

void request_id(benchmark::State& state) {
  BlockPool pool;
  {
    Arena warm(pool);
    warm.copy("x");
  }
  Random random(1);
  const model::HttpConnectionManager http;
  const AllocationScope scope(state);
  for (auto _ : state) {
    Arena arena(pool);
    http::RequestHead head(arena);
    proxy::RequestInfo info;
    proxy::assign_request_id(head, http, true, random, info);
    benchmark::DoNotOptimize(info.request_id);
  }
}
BENCHMARK(request_id);

}  // namespace
}  // namespace remora::bench
