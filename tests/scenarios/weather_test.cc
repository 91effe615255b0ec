// Bad networks: everything in pieces, slow readers, big bodies. What arrives is what was sent, and memory is bounded.
#include "tests/scenarios/story.h"

namespace remora::scenarios {
namespace {

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  }
  return text;
}

TEST(Weather, BodiesSurviveSplitSegmentsAndPartialWrites) {
  Story story({.route = "timeout: 0s", .weather = {.window = 5000, .most_written = 700, .split_segments = true}});
  const std::string there = pattern(60'000);
  const std::string back = pattern(90'000);
  story.upstream().next(answer(200, back));
  story.client_sends("POST /", "", there);
  const auto response = story.client_gets(200, 0, 60s);
  EXPECT_TRUE(response.body == back);
  ASSERT_EQ(story.requests_upstream(), 1U);
  EXPECT_TRUE(story.upstream().requests()[0].message.body == there);
}

TEST(Weather, ManyRequestsOverATornNetwork) {
  Story story({.weather = {.window = 400, .most_written = 90, .split_segments = true}});
  std::string all;
  for (std::size_t i = 0; i < 20; ++i) {
    story.upstream().next(answer(200, pattern(i * 37)));
    const std::string body = pattern(i * 11);
    all += "PUT /" + std::to_string(i) + " HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  story.client_sends_bytes(all);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(story.client_gets(200, 0, 5s).body, pattern(i * 37));
  }
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(story.upstream().requests().at(i).message.body, pattern(i * 11));
  }
}

TEST(Weather, ASlowReaderPausesItsWriter) {
  Story story({.route = "timeout: 0s"});
  constexpr std::size_t kSize = 4'000'000;
  story.client().stop_reading();
  story.upstream().next(answer(200, pattern(kSize)));
  story.client_sends("GET /big");
  story.advance(10s);
  const std::size_t taken = kSize - story.upstream().connection(0).unsent();
  EXPECT_LT(taken, 1'000'000U) << "the proxy must not swallow what its client does not read";
  story.client().resume_reading();
  EXPECT_TRUE(story.client_gets(200, 0, 60s).body == pattern(kSize));
}

TEST(Weather, ASlowUpstreamPausesItsClient) {
  Story story({.route = "timeout: 0s"});
  constexpr std::size_t kSize = 4'000'000;
  story.client_sends("GET /warm-up");
  story.client_gets(200);
  story.upstream().connection(0).stop_reading();
  story.client().send("POST /big HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(kSize) + "\r\n\r\n" +
                      pattern(kSize));
  story.advance(10s);
  EXPECT_GT(story.client().unsent(), kSize - 1'000'000U);
  story.upstream().connection(0).resume_reading();
  story.client_gets(200, 0, 60s);
  ASSERT_EQ(story.requests_upstream(), 2U);
  EXPECT_TRUE(story.upstream().requests()[1].message.body == pattern(kSize));
}

TEST(Weather, AClientThatNeverReadsIsGivenUp) {
  Story story({.route = "timeout: 0s, idle_timeout: 5s"});
  story.client().stop_reading();
  story.upstream().next(answer(200, pattern(5'000'000)));
  story.client_sends("GET /big");
  story.advance(20s);
  EXPECT_EQ(story.worker().active_connections(), 0U);
  EXPECT_EQ(story.upstream().open_connections(), 0U);
}

TEST(Weather, AClientThatHalfClosesStillGetsItsAnswer) {
  Story story;
  story.upstream().next(answer(200, "late").in(1s));
  story.client_sends("GET /");
  story.client().half_close();
  story.advance(1s);
  EXPECT_EQ(story.client_gets(200).body, "late");
  story.client_is_closed();
}

TEST(Weather, AnEarlyAnswerEndsAnUploadNobodyWants) {
  Story story({.route = "timeout: 0s"});
  story.client_sends_bytes("POST /big HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000\r\n\r\n" + pattern(1000));
  story.upstream().connection(0).send("HTTP/1.1 413 No\r\ncontent-length: 4\r\nconnection: close\r\n\r\nstop");
  EXPECT_EQ(story.client_gets(413).body, "stop");
}

}  // namespace
}  // namespace remora::scenarios
