#include "proxy/lifecycle.h"

#include <gtest/gtest.h>

namespace remora::proxy {
namespace {

using Actions = Lifecycle::Actions;
using State = Lifecycle::State;

// A process under a clock of its own.
class LifecycleTest : public ::testing::Test {
 protected:
  MonotonicTime at(Nanoseconds after) const { return start_ + after; }
  Actions advance(Nanoseconds after, std::size_t connections) { return life_.advance(at(after), connections); }

  const MonotonicTime start_{Seconds(1000)};
  Lifecycle life_{{.min_drain = Seconds(5), .deadline = Seconds(25)}};
};

TEST_F(LifecycleTest, IsReadyOnceItHasStarted) {
  EXPECT_FALSE(life_.is_ready());
  EXPECT_EQ(life_.state_name(), "PRE_INITIALIZING");
  EXPECT_EQ(advance(Seconds(1), 0), Actions{});
  life_.started();
  EXPECT_TRUE(life_.is_ready());
  EXPECT_EQ(life_.state_name(), "LIVE");
  EXPECT_FALSE(life_.next_due());
}

TEST_F(LifecycleTest, ADrainWithoutConnectionsLastsTheMinimum) {
  life_.started();
  EXPECT_EQ(life_.stop(at(Seconds(0))), Actions{.drain = true});
  EXPECT_FALSE(life_.is_ready());
  EXPECT_EQ(life_.state_name(), "DRAINING");
  EXPECT_EQ(life_.next_due(), at(Seconds(5)));
  EXPECT_EQ(advance(Milliseconds(4999), 0), Actions{});
  EXPECT_EQ(life_.listeners(), Lifecycle::Listeners::closing);
  EXPECT_EQ(advance(Seconds(5), 0), (Actions{.stop_listening = true, .end = true}));
  EXPECT_EQ(life_.state(), State::ended);
  EXPECT_FALSE(life_.next_due());
}

TEST_F(LifecycleTest, ADrainEndsWithTheLastConnection) {
  life_.started();
  (void)life_.stop(at(Seconds(0)));
  EXPECT_EQ(advance(Seconds(3), 2), Actions{});
  EXPECT_EQ(advance(Seconds(5), 2), Actions{.stop_listening = true});
  EXPECT_EQ(life_.next_due(), at(Seconds(25)));
  EXPECT_EQ(advance(Seconds(11), 1), Actions{});
  EXPECT_EQ(advance(Seconds(12), 0), Actions{.end = true});
}

TEST_F(LifecycleTest, ADrainEndsWhenTheRegistryKnowsOfIt) {
  life_.started();
  (void)life_.stop(at(Seconds(0)));
  life_.set_leaving(true);
  EXPECT_EQ(advance(Seconds(5), 0), Actions{.stop_listening = true});
  EXPECT_EQ(advance(Seconds(11), 0), Actions{});
  life_.set_leaving(false);
  EXPECT_EQ(advance(Seconds(12), 0), Actions{.end = true});
}

TEST_F(LifecycleTest, ARegistryThatDoesNotAnswerHoldsNoDrainBeyondItsDeadline) {
  life_.started();
  (void)life_.stop(at(Seconds(0)));
  life_.set_leaving(true);
  (void)advance(Seconds(5), 0);
  EXPECT_EQ(advance(Seconds(25), 0), (Actions{.close_all = true, .end = true}));
}

TEST_F(LifecycleTest, ADrainEndsAtTheDeadline) {
  life_.started();
  (void)life_.stop(at(Seconds(0)));
  (void)advance(Seconds(5), 1);
  EXPECT_EQ(advance(Milliseconds(24'999), 1), Actions{});
  EXPECT_EQ(advance(Seconds(25), 1), (Actions{.close_all = true, .end = true}));
  EXPECT_EQ(advance(Seconds(26), 1), Actions{}) << "it ends once";
}

TEST_F(LifecycleTest, ASecondSignalEndsAtOnce) {
  life_.started();
  (void)life_.stop(at(Seconds(0)));
  EXPECT_EQ(life_.stop(at(Seconds(1))), (Actions{.close_all = true, .end = true}));
  EXPECT_EQ(life_.stop(at(Seconds(2))), Actions{});
}

TEST_F(LifecycleTest, ASignalBeforeItServedEndsAtOnce) {
  EXPECT_EQ(life_.stop(at(Seconds(0))), (Actions{.close_all = true, .end = true}));
  life_.started();
  EXPECT_EQ(life_.state(), State::ended);
}

TEST_F(LifecycleTest, QuitDoesNotDrain) {
  life_.started();
  EXPECT_EQ(life_.quit(), (Actions{.close_all = true, .end = true}));
  EXPECT_EQ(life_.quit(), Actions{});
}

TEST_F(LifecycleTest, AMinimumBeyondTheDeadlineIsCut) {
  Lifecycle life({.min_drain = Seconds(60), .deadline = Seconds(10)});
  life.started();
  (void)life.stop(at(Seconds(0)));
  EXPECT_EQ(life.next_due(), at(Seconds(10)));
  EXPECT_EQ(life.advance(at(Seconds(10)), 3), (Actions{.stop_listening = true, .close_all = true, .end = true}));
}

TEST_F(LifecycleTest, WithoutAMinimumItMayEndAtOnce) {
  Lifecycle life({.min_drain = Seconds(0), .deadline = Seconds(10)});
  life.started();
  (void)life.stop(at(Seconds(0)));
  EXPECT_EQ(life.advance(at(Seconds(0)), 0), (Actions{.stop_listening = true, .end = true}));
}

TEST_F(LifecycleTest, AFailedHealthCheckIsNotADrain) {
  life_.started();
  life_.set_health_check_failed(true);
  EXPECT_FALSE(life_.is_ready());
  EXPECT_EQ(life_.state_name(), "DRAINING");
  EXPECT_EQ(life_.state(), State::ready);
  EXPECT_EQ(advance(Seconds(100), 0), Actions{});
  life_.set_health_check_failed(false);
  EXPECT_TRUE(life_.is_ready());
}

TEST_F(LifecycleTest, DrainingListenersLeavesTheProcessRunning) {
  life_.started();
  EXPECT_EQ(life_.drain_listeners(at(Seconds(0)), false, false), Actions{.stop_listening = true});
  EXPECT_TRUE(life_.is_ready());
  EXPECT_EQ(advance(Seconds(100), 0), Actions{});
  EXPECT_EQ(life_.drain_listeners(at(Seconds(101)), false, false), Actions{}) << "they have stopped";
  EXPECT_EQ(life_.stop(at(Seconds(200))), Actions{.drain = true});
  EXPECT_EQ(advance(Seconds(205), 0), Actions{.end = true});
}

TEST_F(LifecycleTest, DrainingListenersGracefullyStopsThemAfterTheDrainTime) {
  life_.started();
  EXPECT_EQ(life_.drain_listeners(at(Seconds(0)), true, false), Actions{.drain = true});
  EXPECT_EQ(life_.next_due(), at(Seconds(25)));
  EXPECT_EQ(advance(Seconds(25), 4), Actions{.stop_listening = true});
  EXPECT_EQ(life_.state(), State::ready);
  EXPECT_FALSE(life_.next_due());
}

TEST_F(LifecycleTest, ASignalDuringAGracefulDrainStopsListenersAfterItsOwnMinimum) {
  life_.started();
  (void)life_.drain_listeners(at(Seconds(0)), true, false);
  (void)life_.stop(at(Seconds(1)));
  EXPECT_EQ(advance(Seconds(6), 0), (Actions{.stop_listening = true, .end = true}));
}

TEST_F(LifecycleTest, ListenersMayDrainAndNeverStop) {
  life_.started();
  EXPECT_EQ(life_.drain_listeners(at(Seconds(0)), false, true), Actions{.drain = true});
  EXPECT_EQ(life_.listeners(), Lifecycle::Listeners::open);
  EXPECT_FALSE(life_.next_due());
}

TEST_F(LifecycleTest, InboundListenersMayDrainAlone) {
  life_.started();
  EXPECT_EQ(life_.drain_listeners(at(Seconds(0)), true, true, true), (Actions{.drain = true, .inbound_only = true}));
  EXPECT_EQ(life_.drain_listeners(at(Seconds(1)), true, false, true), (Actions{.drain = true, .inbound_only = true}));
  EXPECT_EQ(life_.next_due(), at(Seconds(26)));
  EXPECT_EQ(advance(Seconds(26), 1), (Actions{.stop_listening = true, .inbound_only = true}));
  EXPECT_FALSE(life_.next_due());
  EXPECT_EQ(life_.listeners(), Lifecycle::Listeners::open) << "the others";
  EXPECT_EQ(life_.drain_listeners(at(Seconds(30)), false, false, true),
            (Actions{.stop_listening = true, .inbound_only = true}));
  EXPECT_EQ(life_.drain_listeners(at(Seconds(31)), false, false), Actions{.stop_listening = true});
}

}  // namespace
}  // namespace remora::proxy
