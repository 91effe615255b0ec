#include "proxy/sources/xds_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "tests/unit/sources/resources.h"

namespace remora::sources {
namespace {

namespace discovery_v3 = envoy::service::discovery::v3;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kC = ResourceType::cluster;
constexpr auto kE = ResourceType::endpoint;
constexpr auto kL = ResourceType::listener;

template <typename Request>
std::vector<Request> take(XdsProtocol& protocol) {
  std::vector<Request> result;
  for (const std::string& bytes : protocol.take_requests()) {
    EXPECT_TRUE(result.emplace_back().ParseFromString(bytes));
  }
  return result;
}

class Sotw : public ::testing::Test {
 protected:
  using Request = discovery_v3::DiscoveryRequest;
  std::vector<Request> requests() { return take<Request>(*protocol); }
  ResourceUpdate receive(ResourceType type, const std::string& version, const std::string& nonce) {
    discovery_v3::DiscoveryResponse response;
    response.set_type_url(std::string(type_url(type)));
    response.set_version_info(version);
    response.set_nonce(nonce);
    auto update = protocol->receive(response.SerializeAsString());
    EXPECT_TRUE(update && *update);
    return update && *update ? **update : ResourceUpdate{};
  }

  std::unique_ptr<XdsProtocol> protocol = make_sotw_protocol({"\x0a\x01n", true});
};

TEST_F(Sotw, AsksInOrderAndSaysItsNodeOnce) {
  protocol->want_all(kL);
  protocol->want_all(kC);
  protocol->reopen();
  const auto first = requests();
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_EQ(first[0].type_url(), type_url(kC));
  EXPECT_EQ(first[0].node().id(), "n");
  EXPECT_EQ(first[1].type_url(), type_url(kL));
  EXPECT_FALSE(first[1].has_node());
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(Sotw, AcknowledgesWithVersionAndNonce) {
  protocol->want_all(kC);
  requests();
  const auto update = receive(kC, "7", "n1");
  EXPECT_TRUE(update.whole);
  protocol->answer(update, {});
  const auto ack = requests();
  ASSERT_THAT(ack, SizeIs(1));
  EXPECT_EQ(ack[0].version_info(), "7");
  EXPECT_EQ(ack[0].response_nonce(), "n1");
  EXPECT_FALSE(ack[0].has_error_detail());
}

TEST_F(Sotw, RefusesWithTheVersionBeforeAndEveryReason) {
  protocol->want_all(kC);
  requests();
  protocol->answer(receive(kC, "7", "n1"), {});
  requests();
  protocol->answer(receive(kC, "8", "n2"), {{"a", "x: is wrong\ny: too"}, {"b", "z"}});
  const auto nack = requests();
  ASSERT_THAT(nack, SizeIs(1));
  EXPECT_EQ(nack[0].version_info(), "7");
  EXPECT_EQ(nack[0].response_nonce(), "n2");
  EXPECT_EQ(nack[0].error_detail().message(), "cluster 'a': x: is wrong\ncluster 'a': y: too\ncluster 'b': z");
}

TEST_F(Sotw, NamesChangeWithTheSameNonceAndANewStreamBeginsWithTheVersion) {
  protocol->want(kE, {"a"});
  requests();
  protocol->answer(receive(kE, "7", "n1"), {});
  protocol->want(kE, {"a", "b"});
  auto next = requests();
  ASSERT_THAT(next, SizeIs(1));  // answer and names at once
  EXPECT_THAT(next[0].resource_names(), ElementsAre("a", "b"));
  EXPECT_EQ(next[0].response_nonce(), "n1");
  protocol->reopen();
  next = requests();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(next[0].version_info(), "7");
  EXPECT_EQ(next[0].response_nonce(), "");
  EXPECT_TRUE(next[0].has_node());
  protocol->want(kE, {});
  EXPECT_THAT(requests(), SizeIs(1));  // the empty list says that nothing is wanted
  protocol->reopen();
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(Sotw, GarbageIsAnErrorAndOtherTypesAreNoAffair) {
  protocol->want_all(kC);
  EXPECT_FALSE(protocol->receive("\xff\xff"));
  discovery_v3::DiscoveryResponse response;
  response.set_type_url("type.googleapis.com/x.Y");
  const auto update = protocol->receive(response.SerializeAsString());
  ASSERT_TRUE(update);
  EXPECT_FALSE(*update);
}

class Delta : public ::testing::Test {
 protected:
  using Request = discovery_v3::DeltaDiscoveryRequest;
  std::vector<Request> requests() { return take<Request>(*protocol); }
  ResourceUpdate receive(ResourceType type, const std::vector<std::pair<std::string, std::string>>& resources,
                         const std::string& nonce, const std::vector<std::string>& removed = {}) {
    discovery_v3::DeltaDiscoveryResponse response;
    response.set_type_url(std::string(type_url(type)));
    response.set_nonce(nonce);
    for (const auto& [name, version] : resources) {
      auto& to = *response.add_resources();
      to.set_name(name);
      to.set_version(version);
      to.mutable_resource();
    }
    response.mutable_removed_resources()->Assign(removed.begin(), removed.end());
    auto update = protocol->receive(response.SerializeAsString());
    EXPECT_TRUE(update && *update);
    return update && *update ? **update : ResourceUpdate{};
  }

  std::unique_ptr<XdsProtocol> protocol = make_delta_protocol({"\x0a\x01n", true});
};

TEST_F(Delta, SubscribesAndUnsubscribes) {
  protocol->want_all(kC);
  protocol->want(kE, {"a", "b"});
  auto next = requests();
  ASSERT_THAT(next, SizeIs(2));
  EXPECT_THAT(next[0].resource_names_subscribe(), IsEmpty());  // all
  EXPECT_THAT(next[1].resource_names_subscribe(), ElementsAre("a", "b"));
  protocol->want(kE, {"b", "c"});
  next = requests();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_THAT(next[0].resource_names_subscribe(), ElementsAre("c"));
  EXPECT_THAT(next[0].resource_names_unsubscribe(), ElementsAre("a"));
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(Delta, AnswersEachNonceAndANewStreamSaysWhatWeHave) {
  protocol->want_all(kC);
  requests();
  const auto update = receive(kC, {{"a", "1"}, {"b", "1"}, {"c", "1"}}, "n1");
  protocol->answer(update, {{"b", "wrong"}});
  auto next = requests();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(next[0].response_nonce(), "n1");
  EXPECT_THAT(next[0].error_detail().message(), HasSubstr("cluster 'b': wrong"));
  protocol->answer(receive(kC, {}, "n2", {"c"}), {});
  next = requests();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_FALSE(next[0].has_error_detail());
  protocol->reopen();
  next = requests();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(next[0].response_nonce(), "");
  ASSERT_EQ(next[0].initial_resource_versions().size(), 1U);  // neither what was rejected nor what is gone
  EXPECT_EQ(next[0].initial_resource_versions().at("a"), "1");
}

TEST_F(Delta, VersionsFromTheDiskAreSaidToo) {
  protocol->have(kE, "a", "5");
  protocol->have(kE, "gone", "5");
  protocol->want(kE, {"a"});
  const auto next = requests();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(next[0].initial_resource_versions().size(), 1U);
}

}  // namespace
}  // namespace remora::sources
