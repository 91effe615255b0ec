// What bench_load prints: one JSON object.
#pragma once

#include <cstdint>
#include <cstdio>
#include <utility>

#include "bench/load/histogram.h"
#include "bench/load/process_watch.h"

namespace remora::bench {

struct LoadReport {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  std::uint64_t non_2xx = 0;
  int stuck = 0;  // 1: nothing was answered for so long that the run was given up
  double seconds = 0;
  CpuUse cpu;        // of the watched processes, in the window
  MemoryUse memory;  // at its end
};

inline unsigned long long as_ull(std::uint64_t value) { return value; }

inline void print_latency(const char* name, const Histogram& histogram) {
  std::printf("\"%s\":{\"mean\":%.2f", name, histogram.mean() / 1e3);
  const std::pair<const char*, double> wanted[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};
  for (const auto& [label, percent] : wanted) {
    std::printf(",\"%s\":%.2f", label, histogram.percentile(percent) / 1e3);
  }
  std::printf(",\"max\":%.2f,\"curve\":[", histogram.percentile(100) / 1e3);
  const char* comma = "";
  for (const double percent :
       {0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.99, 100.0}) {
    std::printf("%s[%g,%.2f]", comma, percent, histogram.percentile(percent) / 1e3);
    comma = ",";
  }
  std::printf("]},");
}

// `latency` counts from the intended time, `service` from the time that a request was sent.
inline void print_report(const LoadReport& report, const Histogram& latency, const Histogram& service) {
  std::printf("{\"requests\":%llu,\"seconds\":%.6f,\"rps\":%.1f,", as_ull(report.requests), report.seconds,
              static_cast<double>(report.requests) / report.seconds);
  std::printf("\"errors\":%llu,\"non_2xx\":%llu,\"stuck\":%d,", as_ull(report.errors), as_ull(report.non_2xx),
              report.stuck);
  print_latency("latency_us", latency);
  print_latency("service_us", service);
  std::printf("\"watch\":{\"cpu_ns\":%llu,\"wait_ns\":%llu,\"slices\":%llu,", as_ull(report.cpu.cpu_ns),
              as_ull(report.cpu.wait_ns), as_ull(report.cpu.slices));
  std::printf("\"rss_kb\":%llu,\"pss_kb\":%llu,\"private_kb\":%llu}}\n", as_ull(report.memory.rss_kb),
              as_ull(report.memory.pss_kb), as_ull(report.memory.private_kb));
}

}  // namespace remora::bench
