#include "proxy/logging.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace remora::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class LoggingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/remora-logging-XXXXXX";
    folder_ = mkdtemp(name);
    settings_.path = folder_ + "/log";
    settings_.components = {"upstream", "main"};
    settings_.format = "%l|%n|%v";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::string read(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }

  std::string folder_;
  LogSettings settings_;
};

TEST_F(LoggingTest, EachComponentHasItsLevel) {
  settings_.component_levels = {{"upstream", "debug"}};
  auto logging = Logging::start(settings_).value();
  REMORA_LOG(logging->of("main"), debug, "unheard");
  REMORA_LOG(logging->of("upstream"), debug, "{} heard", 1);
  logging->set_level("", "error");
  REMORA_LOG(logging->of("upstream"), warn, "unheard");
  REMORA_LOG(logging->of("main"), err, "bad");
  EXPECT_EQ(read(settings_.path), "debug|upstream|1 heard\nerror|main|bad\n");
  EXPECT_THAT(logging->levels(), ElementsAre(Pair("main", "error"), Pair("upstream", "error")));
}

TEST_F(LoggingTest, EnvoysFlagsAndTheSourceOfALine) {
  settings_.format = "%g {\"message\":\"%j\"} %_";
  auto logging = Logging::start(settings_).value();
  REMORA_LOG(logging->of("main"), info, "two\nlines \"quoted\" \x01");
  EXPECT_EQ(read(settings_.path),
            "tests/unit/options/logging_test.cc {\"message\":\"two\\nlines \\\"quoted\\\" \\u0001\"} "
            "two\\nlines \\\"quoted\\\" \\x01\n");
}

TEST_F(LoggingTest, EscapingChangesTheMessageAlone) {
  EXPECT_EQ(escaped_pattern("%%v [%v] %l"), "%%v [%_] %l");
  settings_.escaped = true;
  auto logging = Logging::start(settings_).value();
  REMORA_LOG(logging->of("main"), info, "a\nb");
  EXPECT_EQ(read(settings_.path), "info|main|a\\nb\n");
}

TEST_F(LoggingTest, ARotatedFileIsOpenedAnew) {
  auto logging = Logging::start(settings_).value();
  REMORA_LOG(logging->of("main"), info, "before");
  std::filesystem::rename(settings_.path, settings_.path + ".1");
  REMORA_LOG(logging->of("main"), info, "between");
  ASSERT_TRUE(logging->reopen());
  REMORA_LOG(logging->of("main"), info, "after");
  EXPECT_EQ(read(settings_.path + ".1"), "info|main|before\ninfo|main|between\n");
  EXPECT_EQ(read(settings_.path), "info|main|after\n");
}

TEST_F(LoggingTest, AFileThatCannotBeOpenedIsAnErrorWithTheWayOut) {
  settings_.path = folder_ + "/none/log";
  const auto logging = Logging::start(settings_);
  ASSERT_FALSE(logging);
  EXPECT_THAT(logging.error().message, HasSubstr("No such file or directory; give --log-path"));
}

}  // namespace
}  // namespace remora::proxy
