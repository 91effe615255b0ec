#include "proxy/filters/access_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/filters/fixture.h"

namespace remora::proxy {
namespace {

using namespace std::chrono_literals;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(LogRing, KeepsOrderOverManyTurns) {
  LogRing ring(1024);
  int pushed = 0;
  int seen = 0;
  while (pushed < 1000) {
    while (pushed < 1000 &&
           ring.push("p", "line " + std::string(static_cast<std::size_t>(pushed % 60), 'x') + std::to_string(pushed))) {
      ++pushed;
    }
    ASSERT_GT(ring.drain([&](std::string_view path, std::string_view line) {
      EXPECT_EQ(path, "p");
      EXPECT_EQ(line, "line " + std::string(static_cast<std::size_t>(seen % 60), 'x') + std::to_string(seen));
      ++seen;
    }),
              0u);
  }
  EXPECT_EQ(seen, 1000);
  EXPECT_EQ(ring.used(), 0u);
}

TEST(LogRing, RefusesWhatHasNoRoom) {
  LogRing ring(1024);
  EXPECT_FALSE(ring.push("p", std::string(600, 'x')));
  EXPECT_TRUE(ring.push("p", std::string(400, 'x')));
  EXPECT_TRUE(ring.push("p", std::string(400, 'x')));
  EXPECT_FALSE(ring.push("p", std::string(400, 'x')));
  EXPECT_EQ(ring.drain([](std::string_view, std::string_view) {}), 2u);
  EXPECT_TRUE(ring.push("p", std::string(400, 'x')));
}

TEST(LogRing, HandsOverBetweenThreads) {
  LogRing ring(4096);
  constexpr int kLines = 100'000;
  std::thread worker([&] {
    for (int i = 0; i < kLines; ++i) {
      while (!ring.push("path", std::to_string(i))) {
        std::this_thread::yield();
      }
    }
  });
  int next = 0;
  bool good = true;
  while (next < kLines) {
    ring.drain([&](std::string_view, std::string_view line) { good = good && line == std::to_string(next++); });
  }
  worker.join();
  EXPECT_TRUE(good);
}

class AccessLog : public testing::Test {
 protected:
  AccessLog() {
    char name[] = "/tmp/remora-access-log-XXXXXX";
    folder_ = ::mkdtemp(name);
    log_.path = folder_ / "a.log";
    log_.text = format_of("%REQ(:PATH)% %RESPONSE_CODE%\n");
  }
  ~AccessLog() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  model::AccessLog log_;
  TestExchange exchange_;
  Random random_{3};
  metrics::Registry registry_{metrics::RegistryOptions{}};
};

TEST_F(AccessLog, PrintsEnvoysDefaultLine) {
  log_.text = format_of(kDefaultAccessLogFormat);
  std::string line;
  append_access_log_line(line, log_, exchange_.info);
  EXPECT_EQ(line,
            "[2026-11-24T21:18:00.659Z] \"GET /a?b=1 HTTP/1.1\" 200 - 3 5 16 - \"-\" \"-\" \"-\" \"shop:80\" "
            "\"10.1.0.1:80\"\n");
}

TEST_F(AccessLog, PrintsJson) {
  log_.json = true;
  log_.fields = {{"code", format_of("%RESPONSE_CODE%")},
                 {"k\"ey", format_of("%REQ(x-a)%")},
                 {"none", format_of("%REQ(x-nope)%")},
                 {"path", format_of("%REQ(:PATH)%")}};
  std::string line;
  append_access_log_line(line, log_, exchange_.info);
  EXPECT_EQ(line, "{\"code\":200,\"k\\\"ey\":\"aval\",\"none\":null,\"path\":\"/a?b=1\"}\n");
  log_.omit_empty_values = true;
  line.clear();
  append_access_log_line(line, log_, exchange_.info);
  EXPECT_EQ(line, "{\"code\":200,\"k\\\"ey\":\"aval\",\"path\":\"/a?b=1\"}\n");
  log_.fields = {{"none", format_of("%REQ(x-nope)%")}, {"code", format_of("%RESPONSE_CODE%")}};
  line.clear();
  append_access_log_line(line, log_, exchange_.info);
  EXPECT_EQ(line, "{\"code\":200}\n");
}

// What Envoy 1.40 printed for the same.
TEST_F(AccessLog, PrintsNestedJson) {
  using Json = model::JsonFormat;
  const auto missing = [] { return format_of("%REQ(x-nope)%"); };
  const Json::Fixed null{"null"};
  log_.json = true;
  log_.fields = {{"a", null},
                 {"b", Json::Object{}},
                 {"c", Json::List{}},
                 {"d", Json::Object{{"e", missing()}}},
                 {"f", Json::List{missing()}},
                 {"g", Json::List{Json::Object{}, Json::List{}, null, Json::Object{{"h", missing()}}}},
                 {"i", format_of("")},
                 {"j", format_of("%REQ(x-nope)%%REQ(:METHOD)%")},
                 {"l", Json::List{Json::Fixed{"-3"}, Json::Object{{"code", format_of("%RESPONSE_CODE%")}}}},
                 {"n", Json::Fixed{"true"}}};
  std::string line;
  append_access_log_line(line, log_, exchange_.info);
  EXPECT_EQ(line, R"({"a":null,"b":{},"c":[],"d":{"e":null},"f":[null],"g":[{},[],null,{"h":null}],"i":"","j":"-GET",)"
                  R"("l":[-3,{"code":200}],"n":true})"
                  "\n");
  log_.omit_empty_values = true;
  line.clear();
  append_access_log_line(line, log_, exchange_.info);
  EXPECT_EQ(line, R"({"c":[],"f":[],"g":[[]],"i":"","j":"GET","l":[-3,{"code":200}],"n":true})"
                  "\n");
}

TEST_F(AccessLog, FiltersByStatusDurationAndChance) {
  EXPECT_TRUE(wants_access_log(log_, exchange_.info, random_));
  log_.min_status = 400;
  EXPECT_FALSE(wants_access_log(log_, exchange_.info, random_));
  exchange_.info.response_code = 400;
  EXPECT_TRUE(wants_access_log(log_, exchange_.info, random_));
  log_.min_duration = 17ms;
  EXPECT_FALSE(wants_access_log(log_, exchange_.info, random_));
  log_.min_duration = 16ms;
  EXPECT_TRUE(wants_access_log(log_, exchange_.info, random_));
  log_.sample_per_million = 100'000;
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    taken += wants_access_log(log_, exchange_.info, random_) ? 1 : 0;
  }
  EXPECT_NEAR(taken, 1000, 150);
}

TEST_F(AccessLog, WritesFilesAndFlushes) {
  AccessLogWriter writer;
  AccessLogQueue& queue = writer.add_worker(registry_.add_worker());
  queue.log(log_, exchange_.info, random_);
  writer.flush();
  EXPECT_EQ(read(log_.path), "/a?b=1 200\n");
  std::this_thread::sleep_for(120ms);  // it sleeps now, and must wake again
  queue.log(log_, exchange_.info, random_);
  for (int i = 0; i < 500 && lines(read(log_.path)) < 2; ++i) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(lines(read(log_.path)), 2u);
}

TEST_F(AccessLog, ReopensAfterRotation) {
  AccessLogWriter writer;
  AccessLogQueue& queue = writer.add_worker(registry_.add_worker());
  queue.log(log_, exchange_.info, random_);
  writer.flush();
  std::filesystem::rename(log_.path, folder_ / "old.log");
  queue.log(log_, exchange_.info, random_);
  writer.flush();
  EXPECT_EQ(lines(read(folder_ / "old.log")), 2u);
  writer.reopen();
  queue.log(log_, exchange_.info, random_);
  writer.flush();
  EXPECT_EQ(lines(read(folder_ / "old.log")), 2u);
  EXPECT_EQ(lines(read(log_.path)), 1u);
}

std::atomic<int> reports{0};

TEST_F(AccessLog, SaysOnceThatAFileCannotBeOpened) {
  std::ofstream(folder_ / "file") << "not a folder";
  log_.path = folder_ / "file" / "a.log";
  reports = 0;
  {
    AccessLogWriter writer([](std::string_view) { ++reports; });
    AccessLogQueue& queue = writer.add_worker(registry_.add_worker());
    for (int i = 0; i < 3; ++i) {
      queue.log(log_, exchange_.info, random_);
      writer.flush();
    }
  }
  EXPECT_EQ(reports, 1);
}

TEST_F(AccessLog, LosesNothingButWhatItCounts) {
  constexpr int kWorkers = 2;
  constexpr int kLines = 20'000;
  {
    AccessLogWriter writer;
    std::vector<std::thread> threads;
    for (int w = 0; w < kWorkers; ++w) {
      AccessLogQueue& queue = writer.add_worker(registry_.add_worker(), 8192);
      threads.emplace_back([&, w] {
        TestExchange exchange;
        Random random(static_cast<std::uint64_t>(w));
        for (int i = 0; i < kLines; ++i) {
          queue.log(log_, exchange.info, random);
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }  // the writer's end writes what is left
  const std::string scrape = registry_.scrape();
  const auto number = [&](std::string_view name) {
    return std::stoul(scrape.substr(scrape.find("\n" + std::string(name) + " ") + name.size() + 2));
  };
  EXPECT_EQ(lines(read(log_.path)), number("remora_access_log_lines_total"));
  EXPECT_EQ(number("remora_access_log_lines_total") + number("remora_access_log_dropped_total"),
            static_cast<unsigned long>(kWorkers * kLines));
}

}  // namespace
}  // namespace remora::proxy
