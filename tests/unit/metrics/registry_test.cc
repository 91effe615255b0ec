#include "metrics/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace remora::metrics {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::string flags_text(std::uint32_t flags) { return flags == 0 ? "-" : flags == 1 ? "UH" : "UF"; }

RegistryOptions options(std::size_t cap = 10'000) { return {"1.2.3", cap, flags_text}; }

void record(RequestSeries* series, int code, std::uint32_t flags = 0) {
  series->record(code, flags, 3ms, 2ms, 12us, 10, 20);
}

TEST(Registry, CountsRequestsByLabelsCodeAndFlags) {
  Registry registry(options());
  WorkerMetrics& worker = registry.add_worker();
  RequestSeries* series = worker.requests("web", "vh/r1", "api");
  record(series, 200);
  record(series, 200);
  record(series, 503, 1);
  EXPECT_EQ(series, worker.requests("web", "vh/r1", "api"));
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr("# TYPE remora_requests_total counter\n"));
  EXPECT_THAT(text,
              HasSubstr(R"(remora_requests_total{service="web",route="vh/r1",cluster="api",code="200",flags="-"} 2)"
                        "\n"));
  EXPECT_THAT(text, HasSubstr(R"(cluster="api",code="503",flags="UH"} 1)"
                              "\n"));
  EXPECT_THAT(text, HasSubstr(R"(remora_request_body_bytes_total{service="web",route="vh/r1",cluster="api"} 30)"
                              "\n"));
  EXPECT_THAT(text, HasSubstr(R"(remora_response_body_bytes_total{service="web",route="vh/r1",cluster="api"} 60)"
                              "\n"));
}

TEST(Registry, PrintsHistogramsInSeconds) {
  Registry registry(options());
  RequestSeries* series = registry.add_worker().requests("web", "r", "api");
  series->record(200, 0, 3ms, Nanoseconds(-1), 12us, 0, 0);
  const std::string text = registry.scrape();
  EXPECT_THAT(
      text,
      HasSubstr(R"(remora_request_duration_seconds_bucket{service="web",route="r",cluster="api",le="0.0025"} 0)"));
  EXPECT_THAT(
      text, HasSubstr(R"(remora_request_duration_seconds_bucket{service="web",route="r",cluster="api",le="0.005"} 1)"));
  EXPECT_THAT(
      text, HasSubstr(R"(remora_request_duration_seconds_bucket{service="web",route="r",cluster="api",le="+Inf"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(remora_request_duration_seconds_sum{service="web",route="r",cluster="api"} 0.003)"));
  EXPECT_THAT(text, HasSubstr(R"(remora_upstream_duration_seconds_count{service="web",route="r",cluster="api"} 0)"));
  EXPECT_THAT(text,
              HasSubstr(R"(remora_proxy_duration_seconds_bucket{service="web",route="r",cluster="api",le="1e-05"} 0)"));
  EXPECT_THAT(
      text, HasSubstr(R"(remora_proxy_duration_seconds_bucket{service="web",route="r",cluster="api",le="1.5e-05"} 1)"));
}

TEST(Registry, AddsWorkersUp) {
  Registry registry(options());
  WorkerMetrics& one = registry.add_worker();
  WorkerMetrics& two = registry.add_worker();
  record(one.requests("web", "r", "api"), 200);
  record(two.requests("web", "r", "api"), 200);
  one.cluster("api")->connections_active.set(3);
  two.cluster("api")->connections_active.set(4);
  one.cluster("api")->breaker_state.set(2);
  two.cluster("api")->breaker_state.set(1);
  one.listener("in")->accept_failures[AcceptFailure::no_fds].add();
  two.listener("in")->accept_failures[AcceptFailure::no_fds].add(2);
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr(R"(code="200",flags="-"} 2)"));
  EXPECT_THAT(text, HasSubstr("remora_upstream_connections_active{cluster=\"api\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("remora_upstream_breaker_state{cluster=\"api\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("remora_downstream_accept_failures_total{listener=\"in\",reason=\"no_fds\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("remora_workers 2\n"));
}

TEST(Registry, EscapesLabels) {
  Registry registry(options());
  record(registry.add_worker().requests("a\"b", "c\\d", "e\nf"), 200);
  EXPECT_THAT(registry.scrape(), HasSubstr(R"({service="a\"b",route="c\\d",cluster="e\nf",code="200",flags="-"} 1)"));
}

TEST(Registry, DoesNotConfuseNamesThatJoinAlike) {
  Registry registry(options());
  WorkerMetrics& worker = registry.add_worker();
  EXPECT_NE(worker.requests("a", "bc", "d"), worker.requests("ab", "c", "d"));
  EXPECT_NE(worker.requests("1:a", "", ""), worker.requests("", "1:a", ""));
}

TEST(Registry, CapsLabelSetsAndCountsWhatOverflows) {
  Registry registry(options(3));
  WorkerMetrics& one = registry.add_worker();
  WorkerMetrics& two = registry.add_worker();
  for (int i = 0; i < 5; ++i) {
    record(one.requests("s", "r" + std::to_string(i), "c"), 200);
    record(two.requests("s", "r" + std::to_string(i), "c"), 200);
    one.cluster("c" + std::to_string(i))->attempts.add();
  }
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr(R"(route="r2",cluster="c",code="200",flags="-"} 2)"));
  EXPECT_THAT(text, Not(HasSubstr("r3")));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(remora_requests_total{service="_overflow",route="_overflow",cluster="_overflow",code="200",flags="-"} 4)"));
  EXPECT_THAT(text, HasSubstr("remora_upstream_attempts_total{cluster=\"_overflow\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("remora_metrics_overflow_total{family=\"remora_request_duration_seconds\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("remora_metrics_overflow_total{family=\"remora_requests_total\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("remora_metrics_overflow_total{family=\"remora_upstream_*\"} 2\n"));
}

TEST(Registry, CapsCodesOfAFamily) {
  Registry registry(options(4));
  RequestSeries* series = registry.add_worker().requests("s", "r", "c");
  for (int code = 200; code < 210; ++code) {
    record(series, code);
  }
  record(series, 200);
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr(R"(code="200",flags="-"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(code="203",flags="-"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("code=\"204\"")));
  EXPECT_THAT(
      text,
      HasSubstr(R"(remora_requests_total{service="s",route="r",cluster="c",code="_overflow",flags="_overflow"} 6)"));
  EXPECT_THAT(text, HasSubstr("remora_metrics_overflow_total{family=\"remora_requests_total\"} 6\n"));
}

TEST(Registry, CapsCodesOfASeries) {
  Registry registry(options());
  RequestSeries* series = registry.add_worker().requests("s", "r", "c");
  for (int i = 0; i < 1000; ++i) {
    record(series, i);
  }
  std::uint64_t total = 0;
  std::uint64_t rest = 0;
  std::size_t slots = 0;
  series->for_each_code([&](bool overflow, int, std::uint32_t, std::uint64_t count) {
    ++slots;
    total += count;
    rest += overflow ? count : 0;
  });
  EXPECT_EQ(slots, RequestSeries::kMaxCodes + 1);
  EXPECT_EQ(total, 1000u);
  EXPECT_EQ(rest, 1000 - RequestSeries::kMaxCodes);
}

TEST(Registry, AsksCallbacksAtEachScrape) {
  Registry registry(options());
  int value = 1;
  registry.on_scrape(Id::config_version, {}, [&] { return value; });
  EXPECT_THAT(registry.scrape(), HasSubstr("remora_config_version 1\n"));
  value = 2;
  EXPECT_THAT(registry.scrape(), HasSubstr("remora_config_version 2\n"));
}

TEST(Registry, TellsOfTheProcess) {
  Registry registry(options());
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr("remora_build_info{version=\"1.2.3\"} 1\n"));
  for (const char* name : {"process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes",
                           "process_open_fds", "process_max_fds", "process_threads"}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(name) + " ")) << name;
  }
}

// tsan watches this one: workers write and make series while main scrapes.
TEST(Registry, ScrapesWhileWorkersWrite) {
  Registry registry(options(50));
  constexpr int kWorkers = 3;
  constexpr int kRounds = 20'000;
  std::vector<std::thread> threads;
  std::atomic<int> running{kWorkers};
  for (int w = 0; w < kWorkers; ++w) {
    WorkerMetrics& worker = registry.add_worker();
    threads.emplace_back([&worker, &running] {
      for (int i = 0; i < kRounds; ++i) {
        record(worker.requests("s", "r" + std::to_string(i % 70), "c"), 200 + i % 90, static_cast<unsigned>(i % 2));
        worker.cluster("c" + std::to_string(i % 60))->attempts.add();
        worker.listener("l")->connections_active.add(i % 2 == 0 ? 1 : -1);
      }
      running.fetch_sub(1);
    });
  }
  while (running.load() > 0) {
    EXPECT_FALSE(registry.scrape().empty());
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string text = registry.scrape();
  double total = 0;
  for (std::size_t at = text.find("remora_upstream_attempts_total{"); at != std::string::npos;
       at = text.find("remora_upstream_attempts_total{", at + 1)) {
    total += std::stod(text.substr(text.find(' ', at)));
  }
  EXPECT_EQ(total, kWorkers * kRounds);
}

}  // namespace
}  // namespace remora::metrics
