// An XdsClient against control planes in memory: what is said on each stream, and what happens when one dies.
#include "proxy/sources/xds_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "tests/unit/sources/resources.h"

namespace remora::sources {
namespace {

namespace discovery_v3 = envoy::service::discovery::v3;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Request = discovery_v3::DeltaDiscoveryRequest;

constexpr auto kC = ResourceType::cluster;
constexpr auto kE = ResourceType::endpoint;

// Several addresses; a test answers for the one that was asked.
class FakeControl final : public ControlPlane {
 public:
  explicit FakeControl(sim::SimLoop& loop) : loop_(loop) {}

  std::unique_ptr<grpc::Stream> open(std::string_view path, const grpc::Metadata& metadata, grpc::StreamEvents& events,
                                     std::string& why) override {
    opened.emplace_back(address(), loop_.now());
    last_path = path;
    last_metadata = metadata;
    if (unknown) {
      why = "no address of it is known yet";
      return nullptr;
    }
    requests.clear();
    client_ = &events;
    return std::make_unique<FakeStream>(*this);
  }
  void next() override { ++index_; }
  bool waiting() const override { return looked_for; }
  bool connected() const override { return client_ != nullptr; }
  std::string address() const override { return index_ % 2 == 0 ? "one" : "two"; }

  void answer(ResourceType type, const std::vector<std::pair<std::string, std::string>>& resources,
              const std::string& nonce) {
    discovery_v3::DeltaDiscoveryResponse response;
    response.set_type_url(std::string(type_url(type)));
    response.set_nonce(nonce);
    for (const auto& [name, version] : resources) {
      auto& to = *response.add_resources();
      to.set_name(name);
      to.set_version(version);
      to.mutable_resource();
    }
    say(response.SerializeAsString());
  }
  void say(const std::string& bytes) {
    loop_.at(Nanoseconds(0), [this, bytes] { client_->on_message(bytes); });
    loop_.settle();
  }
  void die(grpc::Code code = grpc::Code::unavailable) {
    loop_.at(Nanoseconds(0), [this, code] { std::exchange(client_, nullptr)->on_closed({code, "gone"}); });
    loop_.settle();
  }

  std::vector<std::pair<std::string, MonotonicTime>> opened;
  std::vector<Request> requests;  // on the present stream
  std::string last_path;
  grpc::Metadata last_metadata;
  bool unknown = false;
  bool looked_for = false;

 private:
  class FakeStream final : public grpc::Stream {
   public:
    explicit FakeStream(FakeControl& control) : control_(control) {}
    void send(std::string_view message) override {
      control_.requests.emplace_back().ParseFromArray(message.data(), static_cast<int>(message.size()));
    }
    void finish(const grpc::Status&) override {}
    std::size_t queued_bytes() const override { return 0; }

   private:
    FakeControl& control_;
  };

  sim::SimLoop& loop_;
  grpc::StreamEvents* client_ = nullptr;
  int index_ = 0;
};

class XdsClientTest : public ::testing::Test {
 protected:
  XdsClientTest() {
    auto owned = std::make_unique<FakeControl>(loop);
    control = owned.get();
    client = std::make_unique<XdsClient>(
        loop, random, std::move(owned), make_delta_protocol({"", true}),
        XdsClient::Options{.path = "/ads", .metadata = {{"token", "x"}}},
        FeedEvents{.apply =
                       [this](const ResourceUpdate& update, const auto&) {
                         updates.push_back(update);
                         return rejections;
                       },
                   .log = [this](LogLevel, const std::string& words) { log.push_back(words); },
                   .failed = [this] { ++failures; }});
    client->protocol().want_all(kC);
    loop.settle();
    loop.advance(Milliseconds(1));
  }

  sim::SimLoop loop{7};
  Random random{7};
  FakeControl* control = nullptr;
  std::unique_ptr<XdsClient> client;
  std::vector<ResourceUpdate> updates;
  std::vector<Rejection> rejections;
  std::vector<std::string> log;
  int failures = 0;
};

TEST_F(XdsClientTest, AsksAppliesAndAnswers) {
  EXPECT_EQ(control->last_path, "/ads");
  EXPECT_EQ(control->last_metadata.at(0).first, "token");
  ASSERT_THAT(control->requests, SizeIs(1));
  control->answer(kC, {{"a", "1"}}, "n1");
  ASSERT_THAT(updates, SizeIs(1));
  ASSERT_THAT(control->requests, SizeIs(2));
  EXPECT_EQ(control->requests[1].response_nonce(), "n1");
  EXPECT_TRUE(client->facts().connected);
  EXPECT_EQ(client->facts().acks, 1U);
  client->protocol().want(kE, {"a"});
  loop.settle();
  loop.advance(Milliseconds(1));
  ASSERT_THAT(control->requests, SizeIs(3));
  EXPECT_EQ(control->requests[2].type_url(), type_url(kE));
}

TEST_F(XdsClientTest, SaysWhatItRejects) {
  rejections = {{"a", "is wrong"}};
  control->answer(kC, {{"a", "1"}}, "n1");
  ASSERT_THAT(control->requests, SizeIs(2));
  EXPECT_THAT(control->requests[1].error_detail().message(), HasSubstr("cluster 'a': is wrong"));
  EXPECT_EQ(client->facts().nacks, 1U);
}

TEST_F(XdsClientTest, TheNextAddressGoesOnFromWhatWeHave) {
  control->answer(kC, {{"a", "1"}}, "n1");
  control->die();
  EXPECT_FALSE(client->facts().connected);
  EXPECT_EQ(failures, 1);
  loop.advance(Seconds(1));
  ASSERT_THAT(control->opened, SizeIs(2));
  EXPECT_EQ(control->opened[1].first, "two");
  ASSERT_THAT(control->requests, SizeIs(1));
  EXPECT_EQ(control->requests[0].initial_resource_versions().at("a"), "1");
}

TEST_F(XdsClientTest, BacksOffWithJitterUpToHalfAMinuteAndAnewAfterAnAnswer) {
  control->unknown = true;
  control->die();
  loop.advance(Seconds(600));
  const std::size_t tries = control->opened.size();
  EXPECT_GT(tries, 25U);  // about every 15 s in the end
  EXPECT_LT(tries, 80U);
  for (std::size_t i = 2; i < tries; ++i) {
    EXPECT_LE(control->opened[i].second - control->opened[i - 1].second, Seconds(30) + Milliseconds(2));
  }
  control->unknown = false;
  loop.advance(Seconds(31));
  control->answer(kC, {}, "n1");
  control->die();
  const std::size_t before = control->opened.size();
  loop.advance(Milliseconds(501));
  EXPECT_GT(control->opened.size(), before);
}

TEST_F(XdsClientTest, GarbageEndsTheStreamNotTheClient) {
  control->say("\xff\xff\xff");
  EXPECT_THAT(updates, IsEmpty());
  EXPECT_THAT(client->facts().last_error, HasSubstr("no DeltaDiscoveryResponse"));
  loop.advance(Seconds(1));
  EXPECT_THAT(control->opened, SizeIs(2));
  control->answer(kC, {{"a", "1"}}, "n1");
  EXPECT_THAT(updates, SizeIs(1));
  EXPECT_EQ(client->facts().last_error, "");
}

TEST_F(XdsClientTest, WhoseAddressIsStillBeingLookedForHasNotFailed) {
  control->looked_for = true;
  control->die();
  loop.advance(Seconds(5));
  EXPECT_EQ(failures, 1);
  const std::size_t tries = control->opened.size();
  control->looked_for = false;
  loop.advance(Milliseconds(30));
  EXPECT_EQ(control->opened.size(), tries + 1) << "it is asked as soon as it is found";
}

TEST_F(XdsClientTest, TheSameFailureIsNotLoggedAgainAndAgain) {
  control->unknown = true;
  control->die();
  loop.advance(Seconds(50));
  EXPECT_LE(log.size(), 4U);
}

}  // namespace
}  // namespace remora::sources
