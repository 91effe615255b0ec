// Endpoints that keep failing are left alone for a while.
#include <algorithm>

#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

World detecting(const std::string& more = "") {
  return {.cluster =
              "lb_policy: ROUND_ROBIN, outlier_detection: {consecutive_5xx: 3, interval: 1s, base_ejection_time: "
              "10s, max_ejection_percent: 100" +
              more + "}",
          .upstreams = 2};
}

// How many of these requests failed.
int ask(Story& story, int times) {
  int failed = 0;
  for (int i = 0; i < times; ++i) {
    story.client_sends("GET /");
    story.advance(20ms);
    const auto response = sim::take_response(story.client().received, false);
    failed += !response || response->status() >= 500 ? 1 : 0;
  }
  return failed;
}

TEST(Outliers, TheOneThatFailsIsEjectedAndComesBack) {
  Story story(detecting());
  story.upstream(0).always(answer(500, "broken"));
  EXPECT_EQ(ask(story, 20), 3);
  EXPECT_EQ(story.upstream(0).requests().size(), 3U);
  story.upstream(0).always(answer(200, "mended"));
  story.advance(12s);
  EXPECT_EQ(ask(story, 20), 0);
  EXPECT_NEAR(static_cast<double>(story.upstream(0).requests().size()), 13, 1);
}

TEST(Outliers, ConnectionFailuresCount) {
  Story story(detecting());
  story.upstream(0).stop_listening();
  EXPECT_EQ(ask(story, 20), 3);
}

TEST(Outliers, TimeoutsCount) {
  World world = detecting();
  world.route = "timeout: 0.010s";
  Story story(world);
  story.upstream(0).always(silence());
  EXPECT_EQ(ask(story, 20), 3);
}

// How long until the first endpoint comes back, to a quarter of a second.
Nanoseconds away(Story& story) {
  const MonotonicTime since = story.endpoint(0).health.ejected_at.load();
  while (story.endpoint(0).health.ejected && story.now() < since + 100s) {
    story.advance(250ms);
  }
  return story.now() - since;
}

TEST(Outliers, WhoFailsAgainStaysAwayLonger) {
  Story story(detecting());
  story.upstream(0).always(answer(500, "broken"));
  EXPECT_EQ(ask(story, 10), 3);
  const auto first = away(story);
  EXPECT_GE(first, 10s);
  EXPECT_LE(first, 11500ms) << "looked at once a second";
  EXPECT_EQ(ask(story, 10), 3) << "back, and ejected again";
  const auto second = away(story);
  EXPECT_GE(second, 20s);
  EXPECT_LE(second, 21500ms);
  story.advance(5s);  // well for a while: forgiven
  EXPECT_EQ(ask(story, 10), 3);
  EXPECT_LE(away(story), 11500ms);
}

TEST(Outliers, AllEjectedIsPanicNotAnOutage) {
  Story story(detecting());
  story.upstream(0).always(answer(500, "broken"));
  story.upstream(1).always(answer(500, "broken"));
  ask(story, 10);
  story.upstream(0).always(answer(200, "mended"));
  story.upstream(1).always(answer(200, "mended"));
  EXPECT_EQ(ask(story, 10), 0) << "better a suspect than nobody";
}

TEST(Outliers, NobodyLeftIsSaidSo) {
  World world = detecting();
  world.cluster += ", common_lb_config: {healthy_panic_threshold: {value: 0}}";
  Story story(world);
  story.upstream(0).always(answer(500, "broken"));
  story.upstream(1).always(answer(500, "broken"));
  ask(story, 6);
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(503).header("x-remora-reason"), "no_healthy_endpoint");
}

TEST(Outliers, TenPerCentOfTwoIsNobody) {
  World world = detecting();
  world.cluster = "lb_policy: ROUND_ROBIN, outlier_detection: {consecutive_5xx: 3}";
  Story story(world);
  story.upstream(0).always(answer(500, "broken"));
  EXPECT_EQ(ask(story, 20), 10);
}

TEST(Outliers, TheOneThatFailsMoreOftenThanTheOthersIsEjected) {
  Story story({.cluster = "lb_policy: ROUND_ROBIN, outlier_detection: {interval: 10s, max_ejection_percent: 50, "
                          "success_rate_request_volume: 20}",
               .upstreams = 5});
  for (int i = 0; i < 150; ++i) {
    story.upstream(0).next(i % 2 == 0 ? answer(500, "") : answer(200, "ok"));  // never five in a row
  }
  EXPECT_GT(ask(story, 200), 10);
  story.advance(10s);
  const std::size_t until_then = story.upstream(0).requests().size();
  EXPECT_EQ(ask(story, 50), 0);
  EXPECT_EQ(story.upstream(0).requests().size(), until_then);
  EXPECT_EQ(story.cluster_metrics().ejections[metrics::Ejection::success_rate].value(), 1U);
}

TEST(Outliers, WhereLocalFailuresAreSplitAConnectionEndsTheirRow) {
  World world = detecting(", split_external_local_origin_errors: true, consecutive_local_origin_failure: 3");
  world.upstreams = 1;
  Story story(world);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 2; ++i) {
      story.upstream().next(hang_up());
      story.client_sends("POST /");
      story.client_gets(503);
    }
    story.client_sends("GET /");
    story.client_gets(200);
  }
}

}  // namespace
}  // namespace remora::scenarios
