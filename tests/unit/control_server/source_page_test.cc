#include "control/server/source_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace remora::control {
namespace {

using testing::HasSubstr;
using testing::Not;

Sources consul() {
  return {.from = "Consul at 127.0.0.1:8500",
          .consul = true,
          .doubted_for = {},
          .watches = {{.path = "/v1/config/service-router", .answered = true, .age = Seconds(3), .failure = {}},
                      {.path = "/v1/health/service/api",
                       .answered = true,
                       .age = Milliseconds(41'500),
                       .failure = "Consul at 127.0.0.1:8500, GET /v1/health/service/api: no leader"}}};
}

TEST(SourcePageTest, SaysHowOldEachAnswerIsAndWhatIsWrong) {
  const std::string text = sources_text(consul());
  EXPECT_THAT(text, HasSubstr("the mesh comes from Consul at 127.0.0.1:8500\n1 of 2 watches fail\n"));
  EXPECT_THAT(text, HasSubstr("GET /v1/config/service-router: answered 3.0 s ago\n"));
  EXPECT_THAT(text, HasSubstr("answered 41.5 s ago\n  fails: Consul at"));
  EXPECT_THAT(text, HasSubstr("no leader; the last good answer goes on"));
  EXPECT_EQ(failing(consul()), 1U);
  EXPECT_EQ(oldest(consul()), Nanoseconds(Milliseconds(41'500)));
}

TEST(SourcePageTest, SaysWhatWasNeverAnswered) {
  Sources sources = consul();
  sources.watches[1].answered = false;
  EXPECT_THAT(sources_text(sources), HasSubstr("api: no answer yet, for 41.5 s\n  fails: "));
  EXPECT_THAT(sources_text(sources), HasSubstr("control waits for it"));
}

TEST(SourcePageTest, SaysForHowLongItDoubts) {
  Sources sources = consul();
  EXPECT_THAT(sources_text(sources), Not(HasSubstr("outage")));
  sources.doubted_for = Seconds(12);
  EXPECT_THAT(sources_text(sources), HasSubstr("for 12 s more, answers that take everything away are not believed"));
}

TEST(SourcePageTest, MeshFilesHaveNoWatches) {
  EXPECT_EQ(sources_text({.from = "mesh files: /etc/mesh", .consul = false, .doubted_for = {}, .watches = {}}),
            "the mesh comes from mesh files: /etc/mesh\n");
}

TEST(SourcePageTest, IsJsonForPrograms) {
  const std::string json = sources_json(consul());
  EXPECT_THAT(json, HasSubstr(R"("path": "/v1/config/service-router")"));
  EXPECT_THAT(json, HasSubstr(R"("answered": true)"));
  EXPECT_THAT(json, HasSubstr(R"("age_seconds": 41.500)"));
  EXPECT_THAT(json, HasSubstr("no leader\""));
}

}  // namespace
}  // namespace remora::control
