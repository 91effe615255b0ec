#include "proxy/upstream/outlier_detector.h"

#include <gtest/gtest.h>

#include "tests/seed.h"

namespace remora::upstream {
namespace {

using LocalFailure = OutlierDetector::LocalFailure;

struct Outliers : ::testing::Test {
  Outliers() {
    config.enabled = true;
    config.max_ejection_percent = 100;
    for (int i = 0; i < 4; ++i) {
      endpoints.push_back(std::make_shared<EndpointHealth>("e" + std::to_string(i)));
    }
  }
  OutlierDetector& detector() {
    if (!made) {
      made = std::make_unique<OutlierDetector>(
          config, generation, [this](const OutlierDetector::Event& event) { events.push_back(event.what); });
      made->set_endpoints(endpoints);
    }
    return *made;
  }
  void answer(int which, int status, int times = 1) {
    for (int i = 0; i < times; ++i) {
      detector().on_response(*endpoints[static_cast<std::size_t>(which)], status, now, random);
    }
  }
  void lose(int which, LocalFailure failure, int times) {
    for (int i = 0; i < times; ++i) {
      detector().on_local_failure(*endpoints[static_cast<std::size_t>(which)], failure, now, random);
    }
  }
  bool ejected(int which) const { return endpoints[static_cast<std::size_t>(which)]->ejected; }
  void pass(Milliseconds time) {
    now += time;
    detector().sweep(now, random);
  }

  model::OutlierDetection config;
  HealthGeneration generation{0};
  std::vector<std::shared_ptr<EndpointHealth>> endpoints;
  std::vector<OutlierDetector::Event::What> events;
  MonotonicTime now{Seconds(1000)};
  Random random{testing::test_seed()};
  std::unique_ptr<OutlierDetector> made;
};

TEST_F(Outliers, FiveInARowEject) {
  answer(0, 500, 4);
  answer(0, 404);
  answer(0, 500, 4);
  EXPECT_FALSE(ejected(0));
  EXPECT_EQ(generation, 0U);
  answer(0, 599);
  EXPECT_TRUE(ejected(0));
  EXPECT_EQ(generation, 1U);
  EXPECT_EQ(detector().counts().active, 1U);
  EXPECT_FALSE(ejected(1));
}

TEST_F(Outliers, OffCountsNothing) {
  config.enabled = false;
  answer(0, 500, 100);
  lose(0, LocalFailure::timeout, 100);
  EXPECT_FALSE(ejected(0));
}

TEST_F(Outliers, GatewayFailuresAreTheirOwnKind) {
  config.consecutive_5xx = 0;
  config.enforcing_consecutive_gateway_failure = 100;
  answer(0, 503, 4);
  answer(0, 500);
  answer(0, 503, 4);
  EXPECT_FALSE(ejected(0)) << "a 500 breaks the row";
  answer(0, 502);
  EXPECT_TRUE(ejected(0));
}

TEST_F(Outliers, DetectedButNotEnforced) {
  config.enforcing_consecutive_5xx = 0;
  answer(0, 500, 10);
  EXPECT_FALSE(ejected(0));
  EXPECT_EQ(detector().counts().detected[0], 2U);
  EXPECT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0], OutlierDetector::Event::What::not_enforced);
}

TEST_F(Outliers, OwnFailuresCountAs5xxUnlessSplit) {
  lose(0, LocalFailure::connect_failed, 5);
  EXPECT_TRUE(ejected(0));
}

TEST_F(Outliers, SplitCountsOwnFailuresApart) {
  config.split_external_local_origin_errors = true;
  lose(0, LocalFailure::connect_failed, 2);
  answer(0, 500, 4);
  lose(0, LocalFailure::timeout, 2);
  EXPECT_FALSE(ejected(0));
  detector().on_connected(*endpoints[0]);
  lose(0, LocalFailure::reset, 4);
  EXPECT_FALSE(ejected(0)) << "a connection broke the row";
  lose(0, LocalFailure::reset, 1);
  EXPECT_TRUE(ejected(0));
  EXPECT_EQ(detector().counts().enforced[2], 1U);
}

TEST_F(Outliers, ComesBackAfterItsTimeAndStaysAwayLongerNextTime) {
  answer(0, 500, 5);
  pass(Seconds(29));
  EXPECT_TRUE(ejected(0));
  pass(Seconds(1));
  EXPECT_FALSE(ejected(0));
  EXPECT_EQ(detector().counts().active, 0U);
  EXPECT_EQ(generation, 2U);
  answer(0, 500, 5);
  pass(Seconds(59));
  EXPECT_TRUE(ejected(0)) << "twice as long";
  pass(Seconds(1));
  EXPECT_FALSE(ejected(0));
}

TEST_F(Outliers, TheTimeIsCappedAndDecays) {
  config.max_ejection_time = Seconds(60);
  for (int i = 0; i < 5; ++i) {
    answer(0, 500, 5);
    EXPECT_EQ(endpoints[0]->ejected_until.load() - now, i == 0 ? Seconds(30) : Seconds(60));
    pass(Seconds(60));
  }
  const auto multiplier = endpoints[0]->multiplier.load();
  pass(Seconds(9));
  EXPECT_EQ(endpoints[0]->multiplier, multiplier);
  for (std::uint32_t i = 1; i <= multiplier; ++i) {
    pass(Seconds(10));
    EXPECT_EQ(endpoints[0]->multiplier, multiplier - i);
  }
  pass(Seconds(10));
  answer(0, 500, 5);
  EXPECT_EQ(endpoints[0]->ejected_until.load() - now, Seconds(30));
}

TEST_F(Outliers, NoMoreThanTheShareOfEndpoints) {
  config.max_ejection_percent = 50;
  for (int i = 0; i < 4; ++i) {
    answer(i, 500, 5);
  }
  EXPECT_EQ(detector().counts().active, 2U);
  EXPECT_EQ(detector().counts().overflow, 2U);
}

TEST_F(Outliers, TenPerCentOfFourIsNobodyUnlessOneIsAlwaysAllowed) {
  config.max_ejection_percent = 10;
  answer(0, 500, 5);
  EXPECT_FALSE(ejected(0));
  made.reset();
  config.always_eject_one_host = true;
  answer(0, 500, 5);
  EXPECT_TRUE(ejected(0));
  answer(1, 500, 5);
  EXPECT_FALSE(ejected(1));
}

TEST_F(Outliers, JitterIsWithinBounds) {
  REMORA_TRACE_SEED();
  config.max_ejection_time_jitter = Seconds(5);
  answer(0, 500, 5);
  const auto time = endpoints[0]->ejected_until.load() - now;
  EXPECT_GE(time, Seconds(30));
  EXPECT_LE(time, Seconds(35));
}

TEST_F(Outliers, EjectionsOutliveAReload) {
  answer(0, 500, 5);
  made.reset();
  EXPECT_EQ(detector().counts().active, 1U);
  pass(Seconds(30));
  EXPECT_FALSE(ejected(0));
}

TEST_F(Outliers, TurnedOffFreesWhoWasEjected) {
  answer(0, 500, 5);
  made.reset();
  config.enabled = false;
  detector();
  EXPECT_FALSE(ejected(0));
}

TEST_F(Outliers, SweepsOnceAnInterval) {
  detector().sweep_if_due(now, random);  // begins the first interval
  answer(0, 500, 5);
  for (int i = 0; i < 119; ++i) {
    now += Milliseconds(250);
    detector().sweep_if_due(now, random);
    EXPECT_TRUE(ejected(0));
  }
  now += Milliseconds(250);
  detector().sweep_if_due(now, random);
  EXPECT_FALSE(ejected(0));
}

TEST_F(Outliers, StrangersAreNotEjected) {
  EndpointHealth gone("gone");
  for (int i = 0; i < 5; ++i) {
    detector().on_response(gone, 500, now, random);
  }
  EXPECT_FALSE(gone.ejected);
}

// Endpoints whose success rates are compared: `failures` of a hundred requests each, spread so that none are in a row.
struct Rates : Outliers {
  void ask(std::initializer_list<int> failures, int requests = 100) {
    config.consecutive_5xx = config.consecutive_gateway_failure = 0;
    for (std::size_t i = endpoints.size(); i < failures.size(); ++i) {
      endpoints.push_back(std::make_shared<EndpointHealth>("e" + std::to_string(i)));
    }
    int which = 0;
    for (const int failed : failures) {
      answer(which, 500, failed);
      answer(which++, 200, requests - failed);
    }
    pass(Seconds(10));
  }
};

// The example of Envoy's own comment: rates 50, 100, 100, 100, 100 have average 90, deviation 20, and threshold 52.
TEST_F(Rates, TheOneThatFailsMoreThanTheOthersIsEjected) {
  ask({50, 0, 0, 0, 0});
  EXPECT_TRUE(ejected(0));
  EXPECT_DOUBLE_EQ(detector().rates(false).average, 90);
  EXPECT_DOUBLE_EQ(detector().rates(false).threshold, 52);
  EXPECT_DOUBLE_EQ(endpoints[0]->success_rate.load(), 50);
  EXPECT_EQ(detector().counts().enforced[static_cast<std::size_t>(OutlierDetector::Kind::success_rate)], 1U);
  pass(Seconds(30));
  EXPECT_FALSE(ejected(0));
  EXPECT_DOUBLE_EQ(detector().rates(false).average, -1) << "nothing was asked";
}

TEST_F(Rates, WhoFailsNoMoreThanTheOthersStays) {
  ask({50, 45, 40, 45, 50});
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(ejected(i));
  }
}

TEST_F(Rates, TooFewEndpointsOrRequestsAreNotCompared) {
  ask({100, 0, 0, 0});
  EXPECT_FALSE(ejected(0));
  EXPECT_EQ(endpoints[0]->outcomes.load(), 0U) << "nor counted";
  made.reset();
  ask({99, 0, 0, 0, 0}, 99);
  EXPECT_FALSE(ejected(0));
  EXPECT_DOUBLE_EQ(endpoints[0]->success_rate.load(), 0) << "shown, for failure_percentage takes 50";
}

TEST_F(Rates, AnIntervalIsJudgedByItself) {
  ask({10, 10, 10, 10, 10});
  ask({50, 0, 0, 0, 0}, 60);
  EXPECT_FALSE(ejected(0)) << "60 requests do not do";
}

TEST_F(Rates, AFailurePercentageEjectsWhateverTheOthersDo) {
  config.enforcing_failure_percentage = 100;
  ask({90, 85, 84, 90, 90});
  EXPECT_TRUE(ejected(0));
  EXPECT_TRUE(ejected(1)) << "85 is enough";
  EXPECT_FALSE(ejected(2));
}

TEST_F(Rates, NotEnforcedIsToldAndNothingElse) {
  config.enforcing_success_rate = 0;
  ask({50, 0, 0, 0, 0});
  EXPECT_FALSE(ejected(0));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0], OutlierDetector::Event::What::not_enforced);
}

TEST_F(Rates, LocalFailuresAreComparedApartWhenSplit) {
  config.split_external_local_origin_errors = true;
  config.consecutive_local_origin_failure = 0;
  endpoints.push_back(std::make_shared<EndpointHealth>("e4"));
  for (int which = 0; which < 5; ++which) {
    lose(which, LocalFailure::connect_failed, which == 0 ? 50 : 0);
    for (int i = which == 0 ? 50 : 0; i < 100; ++i) {
      detector().on_connected(*endpoints[static_cast<std::size_t>(which)]);
    }
  }
  pass(Seconds(10));
  EXPECT_TRUE(ejected(0));
  EXPECT_DOUBLE_EQ(detector().rates(true).threshold, 52);
  EXPECT_EQ(detector().counts().enforced[static_cast<std::size_t>(OutlierDetector::Kind::local_origin_success_rate)],
            1U);
}

}  // namespace
}  // namespace remora::upstream
