// Connections that are used again, and the race with an upstream that closes them.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

void warm_up(Story& story) {
  story.client_sends("GET /warm-up");
  story.client_gets(200);
}

TEST(KeepAlive, ConnectionsAreUsedAgain) {
  Story story;
  for (int i = 0; i < 5; ++i) {
    story.client_sends("GET /", "", "", i % 2);
    story.client_gets(200, i % 2);
  }
  EXPECT_EQ(story.upstream().connections(), 1U);
  EXPECT_EQ(story.cluster_metrics().pool_reuses.value(), 4U);
}

TEST(KeepAlive, AnUpstreamThatClosesWhatIsIdleIsNotMissed) {
  Story story;
  warm_up(story);
  story.upstream().close_all();
  story.advance(10ms);
  story.client_sends("POST /pay", "", "money");
  story.client_gets(200);
  EXPECT_EQ(story.upstream().connections(), 2U);
  EXPECT_EQ(story.cluster_metrics().keepalive_races.value(), 0U);
}

TEST(KeepAlive, TheRaceIsNeverSeenByTheClient) {
  for (const auto& end : {hang_up(), reset()}) {
    Story story;
    warm_up(story);
    story.upstream().next(end);  // on the reused connection, before a byte of an answer
    story.client_sends("GET /");
    story.client_gets(200);
    EXPECT_EQ(story.cluster_metrics().keepalive_races.value(), 1U);
    EXPECT_EQ(story.upstream().connections(), 2U);
  }
}

TEST(KeepAlive, TheCloseMayComeAtAnyMomentOfTheRequest) {
  for (int delay = 0; delay < 3500; delay += 50) {
    SCOPED_TRACE("closed after " + std::to_string(delay) + " us");
    Story story;
    warm_up(story);
    story.upstream().always(answer(200, "ok").in(500us));
    story.client().send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    story.advance(Microseconds(delay));
    story.upstream().close_all(delay % 100 == 0);
    story.client_gets(200);
  }
}

TEST(KeepAlive, TheRaceIsReplayedOnceOnly) {
  Story story;
  warm_up(story);
  story.upstream().always(hang_up());
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(503).header("x-remora-reason"), "closed_before_response");
  EXPECT_EQ(story.requests_upstream(), 3U);
}

TEST(KeepAlive, APostInTheRaceIsNotSentAgainOnceItWasWritten) {
  Story story;
  warm_up(story);
  story.upstream().next(hang_up());
  story.client_sends("POST /pay", "", "money");
  story.client_gets(503);
  EXPECT_EQ(story.requests_upstream(), 2U);
}

TEST(KeepAlive, AFreshConnectionThatClosesIsNoRace) {
  Story story;
  story.upstream().next(hang_up());
  story.client_sends("GET /");
  story.client_gets(503);
  EXPECT_EQ(story.requests_upstream(), 1U);
}

TEST(KeepAlive, AnAnswerThatSaysCloseIsNotFollowedByAnother) {
  Story story;
  story.upstream().next(answer(200, "bye", "connection: close\r\n"));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).body, "bye");
  story.client_sends("GET /");
  story.client_gets(200);
  EXPECT_EQ(story.upstream().connections(), 2U);
}

TEST(KeepAlive, AnAnswerNobodyAskedForIsNotTheNextOnes) {
  Story story;
  warm_up(story);
  story.upstream().connection(0).send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  story.advance(5ms);
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).body, "ok");
  EXPECT_EQ(story.upstream().connections(), 2U);
}

TEST(KeepAlive, TwoAnswersForOneRequestAreNotTheNextOnes) {
  Story story;
  story.upstream().next(
      say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"));
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).body, "ok");
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).body, "ok");
  EXPECT_EQ(story.upstream().connections(), 2U);
}

TEST(KeepAlive, PipelinedRequestsAreAnsweredInOrder) {
  Story story;
  story.upstream().next(answer(200, "first").in(50ms)).next(answer(201, "second"));
  story.client_sends_bytes("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_EQ(story.client_gets(200, 0, 100ms).body, "first");
  EXPECT_EQ(story.client_gets(201).body, "second");
}

TEST(KeepAlive, MaxRequestsOfAConnectionHolds) {
  Story story({.cluster = "typed_extension_protocol_options: "
                          "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type': "
                          "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
                          "common_http_protocol_options: {max_requests_per_connection: 2}, explicit_http_config: "
                          "{http_protocol_options: {}}}}"});
  for (int i = 0; i < 6; ++i) {
    story.client_sends("GET /");
    story.client_gets(200);
  }
  EXPECT_EQ(story.upstream().connections(), 3U);
}

}  // namespace
}  // namespace remora::scenarios
