#include "proxy/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/sim_loop.h"
#include "tests/unit/swap/snapshots.h"

namespace remora::proxy {
namespace {

using ::testing::ElementsAre;

// A worker that answers when the test says so.
struct FakeWorker final : PublishTarget {
  void apply(std::shared_ptr<const Prepared> prepared, std::function<void(Applied)> done) override {
    now = std::move(prepared);
    pending = std::move(done);
    ++applies;
  }
  void answer(std::vector<ListenerError> errors = {}) {
    Applied applied;
    for (const PreparedListener& listener : now->listeners) {
      applied.addresses.push_back(listener.address.port() == 0 ? Address::parse("127.0.0.1", 4711).value()
                                                               : listener.address);
    }
    applied.errors = std::move(errors);
    std::exchange(pending, nullptr)(std::move(applied));
  }

  std::shared_ptr<const Prepared> now;
  std::function<void(Applied)> pending;
  int applies = 0;
};

struct Publishing : ::testing::Test {
  Publishing() {
    publisher.add_worker(first);
    publisher.add_worker(second);
  }
  void publish(const Wanted& wanted, const std::string& name) {
    publisher.publish(make_snapshot(wanted), [this, name](const Publisher::Result& result) {
      told.push_back(name + (result.superseded ? " superseded" : result.errors.empty() ? " ok" : " errors"));
    });
    loop.settle();
  }
  void answer_all() {
    for (FakeWorker* worker : {&first, &second}) {
      if (worker->pending) {
        worker->answer();
        loop.settle();
      }
    }
  }

  sim::SimLoop loop{1};
  upstream::SharedState shared{2};
  std::vector<std::string> observed;
  Publisher publisher{loop, shared, [this](const Publisher::Result& result) {
                        observed.push_back(result.errors.empty() ? "ok" : "errors");
                      }};
  FakeWorker first;
  FakeWorker second;
  std::vector<std::string> told;
};

TEST_F(Publishing, TheFirstWorkerGoesAheadWhereListenersOpen) {
  publish({.listeners = {0}}, "a");
  EXPECT_TRUE(first.pending);
  EXPECT_FALSE(second.pending);
  EXPECT_EQ(publisher.current(), nullptr);
  first.answer();
  loop.settle();
  ASSERT_TRUE(second.pending);
  EXPECT_EQ(second.now->listeners[0].address.port(), 4711) << "the port that the first one got";
  second.answer();
  loop.settle();
  EXPECT_THAT(told, ElementsAre("a ok"));
  ASSERT_EQ(publisher.listening().size(), 1U);
  EXPECT_EQ(publisher.listening()[0].address.port(), 4711);
}

TEST_F(Publishing, AllGoAtOnceWhereNothingOpens) {
  publish({.listeners = {0}}, "a");
  answer_all();
  publish({.listeners = {0}, .endpoints = {1, 2}}, "b");
  EXPECT_TRUE(first.pending);
  EXPECT_TRUE(second.pending);
  EXPECT_EQ(first.now->listeners[0].address.port(), 4711) << "it keeps the port that it got";
  second.answer();
  loop.settle();
  EXPECT_THAT(told, ElementsAre("a ok"));
  first.answer();
  loop.settle();
  EXPECT_THAT(told, ElementsAre("a ok", "b ok"));
}

TEST_F(Publishing, OfThoseThatWaitTheLatestWins) {
  publish({.endpoints = {1}}, "a");
  publish({.endpoints = {2}}, "b");
  publish({.endpoints = {3}}, "c");
  EXPECT_THAT(told, ElementsAre("b superseded"));
  EXPECT_EQ(first.applies, 1);
  answer_all();
  answer_all();
  EXPECT_THAT(told, ElementsAre("b superseded", "a ok", "c ok"));
  EXPECT_EQ(publisher.current()->clusters[0]->endpoints[0]->address.port(), 3);
}

TEST_F(Publishing, AListenerThatCannotOpenIsNamedAndTriedAgain) {
  publish({.listeners = {80}}, "a");
  answer_all();
  publish({.listeners = {81}}, "b");
  first.answer({{"l0", "address in use"}});
  loop.settle();
  EXPECT_FALSE(second.now->listeners[0].open) << "the others need not find out by themselves";
  second.answer();
  loop.settle();
  EXPECT_THAT(told, ElementsAre("a ok", "b errors"));
  EXPECT_EQ(publisher.listening()[0].address.port(), 80) << "what it was";
  loop.advance(Publisher::kRetry);
  ASSERT_TRUE(first.pending);
  EXPECT_TRUE(first.now->listeners[0].open);
  answer_all();
  EXPECT_EQ(publisher.listening()[0].address.port(), 81);
  EXPECT_THAT(observed, ElementsAre("ok", "errors", "ok"));
}

TEST_F(Publishing, WhatWasReplacedIsKeptUntilNoWorkerUsesIt) {
  publish({.endpoints = {1}}, "a");
  answer_all();
  std::weak_ptr<const upstream::PreparedCluster> old = publisher.current()->clusters[0];
  auto in_flight = old.lock();
  publish({.endpoints = {2}}, "b");
  answer_all();
  loop.advance(Seconds(3));
  EXPECT_EQ(in_flight.use_count(), 2) << "ours, and the graveyard's: it will not die here";
  in_flight.reset();
  EXPECT_FALSE(old.expired());
  loop.advance(Seconds(2));
  EXPECT_TRUE(old.expired());
  EXPECT_EQ(publisher.buried(), 0U);
}

TEST_F(Publishing, WhatDidNotChangeIsNotPreparedAnew) {
  const auto snapshot = make_snapshot({});
  publisher.publish(snapshot);
  answer_all();
  const auto before = publisher.current();
  auto next = std::make_shared<model::Snapshot>(*snapshot);
  next->version = 2;
  publisher.publish(next);
  loop.settle();
  answer_all();
  EXPECT_EQ(publisher.current()->snapshot, next);
  EXPECT_EQ(publisher.current()->clusters[0], before->clusters[0]);
  EXPECT_EQ(publisher.current()->listeners[0].routes, before->listeners[0].routes);
}

}  // namespace
}  // namespace remora::proxy
