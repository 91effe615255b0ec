#include "core/http/http2_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace remora::http {
namespace {

using Id = Http2StreamId;

struct Pipe final : ByteSink {
  std::string bytes;
  char* reserve(std::size_t size) override {
    room.resize(size);
    return room.data();
  }
  void commit(std::size_t size) override { bytes.append(room.data(), size); }
  void write(std::string_view data) override { bytes += data; }
  std::string room;
};

// One end of a connection, and what it saw.
struct End final : Http2Events {
  explicit End(const Http2Options& options) : session(options, *this) {}

  Pipe out;
  std::map<Id, std::vector<std::pair<std::string, std::string>>> headers;
  std::map<Id, std::string> body;
  std::map<Id, std::string> to_send;  // ends with it
  std::map<Id, std::uint32_t> closed;
  std::vector<Id> ended;
  std::vector<std::string> farewells;
  int settings = 0;
  int ping_answers = 0;
  bool consumes = true;
  bool healthy = true;
  Http2Session session;

  void on_headers(Id stream, Http2Headers fields, bool) override {
    for (const Http2Header& field : fields) {
      headers[stream].emplace_back(field.name, field.value);
    }
  }
  void on_data(Id stream, std::string_view data) override {
    body[stream] += data;
    if (consumes) {
      session.consume(stream, data.size());
    }
  }
  void on_end(Id stream) override { ended.push_back(stream); }
  void on_stream_closed(Id stream, std::uint32_t error) override { closed[stream] = error; }
  Http2Pull pull(Id stream, std::span<char> into) override {
    std::string& text = to_send[stream];
    const std::size_t size = std::min(text.size(), into.size());
    std::copy_n(text.begin(), size, into.begin());
    text.erase(0, size);
    return {size, text.empty() ? Http2Pull::Then::end : Http2Pull::Then::more};
  }
  void on_goaway(Id last, std::uint32_t error, std::string_view debug) override {
    farewells.push_back(std::to_string(last) + " " + http2_error_name(error) + " " + std::string(debug));
  }
  void on_settings() override { ++settings; }
  void on_ping_answer() override { ++ping_answers; }
};

void exchange(End& a, End& b) {
  for (int round = 0; round < 200; ++round) {
    for (auto [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      from->healthy = from->session.flush(from->out, 1'000'000) && from->healthy;
      to->healthy = to->session.receive(std::exchange(from->out.bytes, {})) && to->healthy;
    }
    if (!a.session.wants_flush() && !b.session.wants_flush()) {
      return;
    }
  }
}

const std::vector<Http2Header> kGet = {
    {":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "x"}, {"x-a", "b"}};
const std::vector<Http2Header> kPost = {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "x"}};
const std::vector<Http2Header> kOk = {{":status", "200"}};

struct Pair {
  explicit Pair(Http2Options server_options = {}, Http2Options client_options = {})
      : server([&] {
          server_options.server = true;
          return server_options;
        }()),
        client(client_options) {}
  End server;
  End client;
  void run() { exchange(client, server); }
};

TEST(Http2Session, ARequestAndItsResponse) {
  Pair pair;
  const Id id = pair.client.session.submit_request(kGet, false).value();
  pair.run();
  EXPECT_EQ(pair.server.headers[id].back(), (std::pair<std::string, std::string>{"x-a", "b"}));
  EXPECT_EQ(pair.server.ended, std::vector<Id>{id});
  pair.server.to_send[id] = std::string(100'000, 'r');
  pair.server.session.submit_response(id, kOk, true);
  pair.run();
  EXPECT_EQ(pair.client.headers[id].front().second, "200");
  EXPECT_EQ(pair.client.body[id].size(), 100'000u);
  EXPECT_EQ(pair.client.closed[id], 0u);
  EXPECT_EQ(pair.server.closed[id], 0u);
  EXPECT_EQ(pair.client.settings, 1);
  EXPECT_EQ(pair.server.session.streams_open(), 0u);
  EXPECT_EQ(pair.client.session.streams_open(), 0u);
}

TEST(Http2Session, WhatIsNotConsumedHoldsTheSenderBack) {
  Pair pair({.stream_window = 10'000, .connection_window = 100'000});
  pair.server.consumes = false;
  pair.run();
  const Id id = pair.client.session.submit_request(kPost, true).value();
  pair.client.to_send[id] = std::string(50'000, 'x');
  pair.run();
  EXPECT_EQ(pair.server.body[id].size(), 10'000u);
  pair.server.session.consume(id, 6'000);
  pair.run();
  EXPECT_EQ(pair.server.body[id].size(), 16'000u);
  pair.server.consumes = true;
  pair.server.session.consume(id, 10'000);
  pair.run();
  EXPECT_EQ(pair.server.body[id].size(), 50'000u);
}

TEST(Http2Session, HeadersOverTheLimitResetTheirStreamAlone) {
  Pair pair({.max_header_bytes = 2'000});
  const std::string value(3'000, 'v');
  auto headers = kGet;
  headers.push_back({"x-large", value});
  const Id large = pair.client.session.submit_request(headers, false).value();
  const Id small = pair.client.session.submit_request(kGet, false).value();
  pair.run();
  EXPECT_EQ(pair.client.closed[large], static_cast<std::uint32_t>(Http2Error::enhance_your_calm));
  EXPECT_FALSE(pair.server.headers.contains(large));
  EXPECT_TRUE(pair.server.headers.contains(small));
  EXPECT_TRUE(pair.server.healthy);
}

TEST(Http2Session, StreamsOverTheLimitWait) {
  Pair pair({.max_streams = 2});
  pair.run();
  for (int i = 0; i < 4; ++i) {
    pair.client.session.submit_request(kGet, false);
  }
  pair.run();
  EXPECT_EQ(pair.server.headers.size(), 2u);
  pair.server.session.submit_response(1, kOk, false);
  pair.run();
  EXPECT_EQ(pair.server.headers.size(), 3u);
}

TEST(Http2Session, RapidResetsEndTheConnection) {
  Pair pair({.reset_burst = 20, .resets_a_second = 1});
  for (int i = 0; i < 40; ++i) {
    const Id id = pair.client.session.submit_request(kGet, false).value();
    pair.run();
    pair.client.session.reset(id, Http2Error::cancel);
    pair.run();
    if (!pair.client.farewells.empty()) {
      break;
    }
  }
  ASSERT_EQ(pair.client.farewells.size(), 1u);
  EXPECT_LT(pair.server.headers.size(), 30u);
}

TEST(Http2Session, ADrainRefusesNewStreamsAndLetsOpenOnesEnd) {
  Pair pair;
  const Id open = pair.client.session.submit_request(kGet, false).value();
  pair.run();
  pair.server.session.announce_shutdown();
  pair.run();
  pair.server.session.goaway(Http2Error::no_error, "bye");
  pair.run();
  ASSERT_EQ(pair.client.farewells.size(), 2u);
  EXPECT_EQ(pair.client.farewells[1], "1 NO_ERROR bye");
  const auto late = pair.client.session.submit_request(kGet, false);
  pair.run();
  EXPECT_TRUE(!late || pair.client.closed.contains(*late));
  EXPECT_FALSE(pair.server.session.over());
  pair.server.session.submit_response(open, kOk, false);
  pair.run();
  EXPECT_EQ(pair.client.closed[open], 0u);
  EXPECT_TRUE(pair.server.session.over());
}

TEST(Http2Session, PingsAreAnswered) {
  Pair pair;
  pair.client.session.ping();
  pair.run();
  EXPECT_EQ(pair.client.ping_answers, 1);
}

TEST(Http2Session, WhatIsNoHttp2SaysSo) {
  Pair pair;
  EXPECT_FALSE(pair.server.session.receive("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  EXPECT_NE(pair.server.session.failure().find("connection preface"), std::string::npos);
}

TEST(Http2Session, AnyBytesAreTakenOrRefused) {
  std::uint32_t seed = 1;
  for (int round = 0; round < 300; ++round) {
    Pair pair;
    pair.run();
    std::string bytes;
    for (int i = 0; i < 64; ++i) {
      seed = seed * 1664525 + 1013904223;
      bytes += static_cast<char>(i % 9 == 0 ? 0 : seed >> 24);
    }
    pair.server.session.receive(bytes);
    pair.server.session.flush(pair.server.out, 100'000);
  }
}

}  // namespace
}  // namespace remora::http
