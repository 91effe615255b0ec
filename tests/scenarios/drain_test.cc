// Going away: nothing that was begun is lost.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

TEST(Drain, IdleConnectionsCloseAndBusyOnesAfterTheirAnswer) {
  Story story;
  story.client_sends("GET /", "", "", 0);
  story.client_gets(200, 0);
  story.upstream().next(answer(200, "late").in(2s));
  story.client_sends("GET /", "", "", 1);
  story.worker().drain();
  story.client_is_closed(0);
  story.client_is_open(1);
  story.advance(2s);
  EXPECT_EQ(story.client_gets(200, 1).header("connection"), "close");
  story.client_is_closed(1);
  story.advance(2s);
  EXPECT_EQ(story.worker().active_connections(), 0U);
}

TEST(Drain, NewConnectionsAreStillServedAndTold) {
  Story story;
  story.worker().drain();
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).header("connection"), "close");
  story.client_is_closed();
}

TEST(Drain, AfterStopListeningNewConnectionsAreRefused) {
  Story story;
  story.upstream().next(answer(200, "late").in(1s));
  story.client_sends("GET /", "", "", 0);
  story.worker().drain();
  story.worker().stop_listening();
  story.client(1).send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  story.advance(50ms);
  EXPECT_EQ(story.client(1).received, "");
  story.advance(1s);
  story.client_gets(200, 0);
}

TEST(Drain, AResponseUnderWayIsSentWhole) {
  Story story;
  story.upstream().next(say("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc"));
  story.client_sends("GET /");
  story.worker().drain();
  story.advance(3s);
  story.upstream().connection(0).send("def");
  EXPECT_EQ(story.client_gets(200).body, "abcdef");
  story.client_is_closed();
}

TEST(Drain, TheDeadlineEndsWhatIsLeft) {
  Story story;
  story.upstream().next(silence());
  story.client_sends("GET /");
  story.worker().drain();
  story.worker().close_all();
  story.client_is_closed();
  EXPECT_EQ(story.worker().active_connections(), 0U);
}

TEST(Drain, ARetryDuringTheDrainGoesOn) {
  Story story({.route = "retry_policy: {retry_on: 5xx, num_retries: 1, retry_back_off: {base_interval: 0.1s}}"});
  story.upstream().next(answer(503, "no"));
  story.client_sends("GET /");
  story.worker().drain();
  story.client_gets(200, 0, 200ms);
}

TEST(Drain, WhileHealthChecksShallFailAnswersSayClose) {
  Story story;
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).header("connection"), "");
  story.worker().set_health_check_failed(true);
  story.client_is_open();
  story.client_sends("GET /");
  EXPECT_EQ(story.client_gets(200).header("connection"), "close");
  story.client_is_closed();
  story.worker().set_health_check_failed(false);
  story.client_sends("GET /", "", "", 1);
  EXPECT_EQ(story.client_gets(200, 1).header("connection"), "");
  story.client_is_open(1);
}

TEST(Drain, OfInboundListenersAlone) {
  for (const bool inbound : {true, false}) {
    Story story({.listener = inbound ? "traffic_direction: INBOUND" : "traffic_direction: OUTBOUND"});
    story.client_sends("GET /");
    story.client_gets(200);
    story.worker().drain(/*inbound_only=*/true);
    story.advance(5ms);
    if (inbound) {
      story.client_is_closed();
    } else {
      story.client_is_open();
    }
    story.client_sends("GET /", "", "", 1);
    EXPECT_EQ(story.client_gets(200, 1).header("connection"), inbound ? "close" : "");
    story.worker().stop_listening(/*inbound_only=*/true);
    story.advance(5ms);
    story.client_sends_bytes("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 2);
    if (inbound) {
      EXPECT_EQ(story.client(2).received, "") << "refused";
    } else {
      story.client_gets(200, 2);
    }
  }
}

}  // namespace
}  // namespace remora::scenarios
