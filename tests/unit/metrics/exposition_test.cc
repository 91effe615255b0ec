// Reads what a scrape prints as a strict parser would: Prometheus' text format 0.0.4 and its naming rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "metrics/registry.h"
#include "metrics/scrape.h"

namespace remora::metrics {
namespace {

using namespace std::chrono_literals;

Registry& full_registry() {
  static Registry registry({"0.1.0", 10, nullptr});
  static const bool once = [] {
    for (int w = 0; w < 2; ++w) {
      WorkerMetrics& worker = registry.add_worker();
      for (int i = 0; i < 15; ++i) {
        RequestSeries* series = worker.requests("web", "r\"\\\n" + std::to_string(i), "api");
        series->record(200 + i, static_cast<unsigned>(i), 3ms, 1ms, 20us, 1, 2);
        series->record(503, 1, 30s, Nanoseconds(-1), 5us, 1, 2);
      }
      ClusterSeries* cluster = worker.cluster("api");
      cluster->connect_failures[ConnectFailure::timeout].add();
      cluster->retries[RetryReason::status_5xx].add(3);
      cluster->retries_denied[RetryDenied::budget].add();
      cluster->overflows[Overflow::breaker_open].add();
      cluster->timeouts[UpstreamTimeout::per_try].add();
      cluster->breaker_transitions[BreakerState::open].add();
      cluster->ejections[Ejection::consecutive_5xx].add();
      cluster->health_checks[HealthCheckResult::passed].add();
      worker.tunnels("web", "db")->ended[TunnelEnd::closed].add();
      ListenerSeries* listener = worker.listener("in");
      listener->accept_failures[AcceptFailure::no_fds].add();
      listener->protocol_errors[ProtocolError::bad_head].add();
    }
    registry.on_scrape(Id::dns_lookups, {"answered"}, [] { return 1.0; });
    for (const Id id : {Id::dns_age, Id::config_version, Id::config_update_time, Id::draining}) {
      registry.on_scrape(id, {}, [] { return 1.0; });
    }
    for (const Id id : {Id::control_plane_connected, Id::control_plane_failures}) {
      registry.on_scrape(id, {}, [] { return 1.0; });
    }
    for (const Id id : {Id::config_resources, Id::config_resources_update_time, Id::config_rejected,
                        Id::config_rejected_now, Id::config_waiting}) {
      registry.on_scrape(id, {"cluster"}, [] { return 1.0; });
    }
    registry.on_scrape_each(Id::intentions_not_enforced, [] { return Registry::Samples{{{"in"}, 1.0}}; });
    for (const Id id : {Id::discovery_age, Id::discovery_failing, Id::discovery_holding, Id::discovery_skipped}) {
      registry.on_scrape_each(id, [] { return Registry::Samples{{{"db", "consul"}, 1.5}}; });
    }
    return true;
  }();
  (void)once;
  return registry;
}

std::string full_scrape() { return full_registry().scrape(); }

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

bool is_name(const std::string& name) {
  return !name.empty() && (std::isalpha(static_cast<unsigned char>(name[0])) || name[0] == '_') &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

// name{label="value",...} number
Sample parse_sample(const std::string& line) {
  Sample sample;
  std::size_t at = line.find_first_of("{ ");
  sample.name = line.substr(0, at);
  if (line[at] == '{') {
    ++at;
    while (line[at] != '}') {
      const std::size_t equals = line.find('=', at);
      const std::string label = line.substr(at, equals - at);
      EXPECT_TRUE(is_name(label)) << line;
      at = equals + 1;
      EXPECT_EQ(line[at], '"') << line;
      std::string value;
      for (++at; line[at] != '"'; ++at) {
        if (line[at] == '\\') {
          ++at;
          EXPECT_NE(std::string("\\\"n").find(line[at]), std::string::npos) << line;
        }
        value += line[at];
      }
      EXPECT_TRUE(sample.labels.emplace(label, value).second) << line;
      ++at;
      at += line[at] == ',' ? 1 : 0;
    }
    ++at;
  }
  EXPECT_EQ(line[at], ' ') << line;
  char* end = nullptr;
  sample.value = std::strtod(line.c_str() + at + 1, &end);
  EXPECT_EQ(*end, '\0') << line;
  return sample;
}

TEST(Exposition, IsStrictlyWellFormed) {
  std::istringstream text(full_scrape());
  std::string line;
  std::string family;
  std::string type;
  std::set<std::string> families;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen;
  std::map<std::map<std::string, std::string>, double> last_bucket;
  std::map<std::map<std::string, std::string>, double> counts;
  while (std::getline(text, line)) {
    ASSERT_FALSE(line.empty());
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family << " is there twice";
      EXPECT_TRUE(is_name(family));
      EXPECT_GT(line.size(), 8 + family.size()) << family << " has no help";
      EXPECT_EQ(last_bucket, counts) << "+Inf's bucket is the count";
      last_bucket.clear();
      counts.clear();
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      ASSERT_EQ(line.substr(7, family.size()), family);
      type = line.substr(8 + family.size());
      EXPECT_EQ(family.ends_with("_total"), type == "counter") << family;
      continue;
    }
    Sample sample = parse_sample(line);
    EXPECT_TRUE(seen.emplace(sample.name, sample.labels).second) << line << " is there twice";
    EXPECT_GE(sample.value, 0) << line;
    if (type == "histogram") {
      ASSERT_TRUE(sample.name == family + "_bucket" || sample.name == family + "_sum" ||
                  sample.name == family + "_count");
      if (sample.name.ends_with("_bucket")) {
        ASSERT_EQ(sample.labels.count("le"), 1u);
        sample.labels.erase("le");
        EXPECT_GE(sample.value, last_bucket[sample.labels]) << line;
        last_bucket[sample.labels] = sample.value;
      } else if (sample.name.ends_with("_count")) {
        counts[sample.labels] = sample.value;
      }
    } else {
      EXPECT_EQ(sample.name, family);
    }
  }
}

TEST(Exposition, HoldsEveryMetricOfTheCatalog) {
  const std::string text = full_scrape();
  for (const Metric& metric : catalog()) {
    EXPECT_THAT(text, testing::HasSubstr("# HELP " + std::string(metric.name) + " ")) << metric.name;
  }
}

TEST(Exposition, EveryMetricIsExplainedToPeople) {
  std::ifstream file(REMORA_SOURCE_DIR "/docs/metrics.md");
  ASSERT_TRUE(file.is_open());
  std::ostringstream docs;
  docs << file.rdbuf();
  for (const Metric& metric : catalog()) {
    EXPECT_THAT(docs.str(), testing::HasSubstr("`" + std::string(metric.name) + "`")) << metric.name;
    for (const std::string_view label : metric.labels()) {
      EXPECT_THAT(docs.str(), testing::HasSubstr("`" + std::string(label) + "`")) << label;
    }
  }
}

// Our own printing is prometheus-cpp's, but for what moves between two scrapes: the process's own numbers.
TEST(Exposition, IsWhatPrometheusOwnSerializerPrints) {
  const auto still = [](std::istringstream text) {
    std::string out;
    for (std::string line; std::getline(text, line);) {
      out += line.starts_with("process_") ? "" : line + "\n";
    }
    return out;
  };
  std::ostringstream expected;
  prometheus::TextSerializer().Serialize(expected, Collector(full_registry()).Collect());
  EXPECT_EQ(still(std::istringstream(full_scrape())), still(std::istringstream(expected.str())));
}

TEST(Exposition, PassesPromtool) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed (Debian package prometheus)";
  }
  char path[] = "/tmp/remora-metrics-XXXXXX";
  const int fd = ::mkstemp(path);
  ASSERT_GE(fd, 0);
  const std::string text = full_scrape();
  ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(fd);
  EXPECT_EQ(std::system(("promtool check metrics < " + std::string(path)).c_str()), 0);
  ::unlink(path);
}

}  // namespace
}  // namespace remora::metrics
