#include "proxy/options.h"

#include <gmock/gmock.h>

#include <initializer_list>

#include "proxy/help.h"

namespace remora::proxy {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

Result<Options> parse(std::initializer_list<std::string_view> arguments) {
  return parse_options(std::vector<std::string_view>(arguments));
}

std::string error_of(std::initializer_list<std::string_view> arguments) {
  const auto parsed = parse(arguments);
  return parsed ? "no error" : parsed.error().message;
}

TEST(Options, DefaultsAreEnvoysButForTheDrainTime) {
  const auto options = parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mode, Options::Mode::serve);
  EXPECT_EQ(options->log_level, "info");
  EXPECT_EQ(options->log_format, "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v");
  EXPECT_FALSE(options->concurrency);
  EXPECT_EQ(options->min_drain_time, Seconds(5));
  EXPECT_EQ(options->drain_time, Seconds(25));
  EXPECT_EQ(options->parent_shutdown_time, Seconds(900));
}

TEST(Options, TakesBothSpellingsOfAValue) {
  for (const auto& options :
       {parse({"-c", "a.yaml", "--concurrency", "3", "-l", "warn", "--mode", "validate"}),
        parse({"--config-path=a.yaml", "--concurrency=3", "--log-level=warning", "--mode=validate"})}) {
    ASSERT_TRUE(options);
    EXPECT_EQ(options->config_path, "a.yaml");
    EXPECT_EQ(options->concurrency, 3u);
    EXPECT_EQ(options->log_level, "warning");
    EXPECT_EQ(options->mode, Options::Mode::validate);
  }
}

TEST(Options, AValueMayHoldAnEqualsSignAndBeginWithADash) {
  EXPECT_EQ(parse({"--config-yaml=node: {id: a=b}"})->config_yaml, "node: {id: a=b}");
  EXPECT_EQ(parse({"--service-node", "-x"})->service_node, "-x");
  EXPECT_EQ(parse({"--service-node="})->service_node, "");
}

TEST(Options, ConsulsCommandLineIsTaken) {
  const auto options = parse({"--config-path", "/tmp/envoy-bootstrap.json", "--disable-hot-restart", "--log-level",
                              "debug", "--drain-time-s", "10", "--parent-shutdown-time-s", "20", "--base-id", "7"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->disable_hot_restart);
  EXPECT_EQ(options->drain_time, Seconds(10));
  EXPECT_EQ(options->base_id, 7u);
}

TEST(Options, NoWorkersAreOne) { EXPECT_EQ(parse({"--concurrency", "0"})->concurrency, 1u); }

TEST(Options, ComponentLevels) {
  const auto options = parse({"--component-log-level", "upstream:debug,config:warn"});
  ASSERT_TRUE(options);
  EXPECT_THAT(options->component_log_levels,
              UnorderedElementsAre(Pair("upstream", "debug"), Pair("config", "warning")));
  EXPECT_THAT(error_of({"--component-log-level", "upsteam:debug"}),
              AllOf(HasSubstr("invalid component specified 'upsteam'"), HasSubstr("'upstream'?")));
  EXPECT_THAT(error_of({"--component-log-level", "upstream"}), HasSubstr("component:level"));
  EXPECT_THAT(error_of({"--component-log-level", "upstream:loud"}), HasSubstr("invalid log level specified 'loud'"));
}

TEST(Options, AnUnknownFlagNamesTheNearest) {
  EXPECT_THAT(error_of({"--concurency", "2"}), HasSubstr("did you mean --concurrency?"));
  EXPECT_THAT(error_of({"--config-pth=x"}), HasSubstr("did you mean --config-path?"));
  EXPECT_THAT(error_of({"-x"}), HasSubstr("there is no flag -x"));
  EXPECT_THAT(error_of({"bootstrap.yaml"}), HasSubstr("given with -c"));
}

TEST(Options, ErrorsNameTheFlagAndTheValue) {
  EXPECT_THAT(error_of({"--concurrency", "two"}), AllOf(HasSubstr("--concurrency"), HasSubstr("'two'")));
  EXPECT_THAT(error_of({"--drain-time-s", "-5"}), HasSubstr("'-5' is not a whole number"));
  EXPECT_THAT(error_of({"--drain-time-s", "4294967296"}), HasSubstr("not a whole number"));
  EXPECT_THAT(error_of({"--mode", "check"}), HasSubstr("unknown mode 'check'"));
  EXPECT_THAT(error_of({"-l", "inof"}), AllOf(HasSubstr("'inof'"), HasSubstr("did you mean 'info'?")));
  EXPECT_THAT(error_of({"-c"}), HasSubstr("-c needs a value: -c PATH"));
  EXPECT_THAT(error_of({"--help=yes"}), HasSubstr("--help takes no value"));
  EXPECT_THAT(error_of({"-l", "info", "--log-level", "debug"}), HasSubstr("--log-level is given twice"));
  EXPECT_THAT(error_of({"--restart-epoch", "1"}), HasSubstr("epoch 0"));
}

TEST(Options, FlagsOfEnvoysThatWouldChangeWhatHappensAreRefusedWithTheReason) {
  EXPECT_THAT(error_of({"--allow-unknown-static-fields"}), HasSubstr("never ignored"));
  EXPECT_THAT(error_of({"--stats-tag", "a:b"}), HasSubstr("relabel_configs"));
}

TEST(Options, AMeshOrAControlPlaneNeedsAService) {
  EXPECT_THAT(error_of({"--mesh", "mesh.yaml"}), HasSubstr("--mesh needs --service NAME"));
  EXPECT_THAT(error_of({"--control", "127.0.0.1:18000"}), HasSubstr("--control needs --service NAME"));
  EXPECT_THAT(error_of({"--mesh", "m", "--control", "127.0.0.1:1", "--service", "web"}), HasSubstr("not from both"));
  EXPECT_THAT(error_of({"--mesh", "m", "--service", "web", "-c", "b"}), HasSubstr("there is one configuration"));
  EXPECT_THAT(error_of({"--service", "web", "-c", "b"}), HasSubstr("goes with --mesh or --control"));
  EXPECT_THAT(error_of({"--control", "127.0.0.1:1,nowhere", "--service", "web"}), HasSubstr("'nowhere'"));
  const auto options = parse({"--control", "127.0.0.1:1,[::1]:2", "--service", "web"});
  ASSERT_TRUE(options);
  EXPECT_THAT(options->control, ElementsAre("127.0.0.1:1", "[::1]:2"));
}

TEST(Options, HelpTeachesByExample) {
  EXPECT_TRUE(parse({"-h"})->help);
  EXPECT_TRUE(parse({"--version"})->version);
  const std::string help = help_text();
  EXPECT_THAT(help, AllOf(HasSubstr("remora-proxy -c bootstrap.yaml --mode validate"), HasSubstr("--min-drain-time-s"),
                          HasSubstr("--disable-hot-restart")));
  for (std::size_t at = 0, end = 0; (end = help.find('\n', at)) != std::string::npos; at = end + 1) {
    EXPECT_LE(end - at, 120u) << help.substr(at, end - at);
  }
}

TEST(Options, EveryFlagIsCompleted) {
  EXPECT_EQ(parse({"--completion", "zsh"})->completion, "zsh");
  EXPECT_THAT(error_of({"--completion", "csh"}), HasSubstr("bash, zsh or fish"));
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string text = completion_text(shell);
    for (const FlagWords& flag : flag_words()) {
      EXPECT_THAT(text, HasSubstr(std::string(flag.name))) << shell;
    }
  }
}

}  // namespace
}  // namespace remora::proxy
