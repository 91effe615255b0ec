#include <gtest/gtest.h>

#include "tests/unit/grpc/world.h"

namespace remora::grpc {
namespace {

constexpr std::string_view kTalk = "/test.Echo/Talk";

// Echoes each message; ends when the client does.
void echo(User& user) {
  user.then = [&user](std::string_view message) { user.stream->send("echo " + std::string(message)); };
}

TEST(GrpcStreams, MessagesGoBothWays) {
  World world;
  auto server = world.make_server({}, echo);
  Channel channel(world.context, world.network, world.address);
  User client;
  client.stream = channel.open(kTalk, {{"X-Node", "web-1"}, {"key-bin", std::string("\0\1", 2)}}, client, Seconds(30));
  client.stream->send("hello");
  client.stream->send("");
  world.run();

  EXPECT_EQ(client.heard, (std::vector<std::string>{"echo hello", "echo "}));
  ASSERT_EQ(world.asked.size(), 1u);
  EXPECT_EQ(world.asked[0].authority, "10.0.0.1:18000");
  EXPECT_EQ(world.asked[0].metadata, (Metadata{{"x-node", "web-1"}, {"key-bin", std::string("\0\1", 2)}}));
  EXPECT_EQ(world.asked[0].timeout, Seconds(30));
  EXPECT_TRUE(channel.connected());

  client.stream->finish({});
  world.run();
  User& served = world.served.front();
  EXPECT_EQ(served.half_closes, 1);
  served.stream->finish({Code::not_found, "no such ünit: 100%"});
  world.run();
  EXPECT_EQ(client.code(), Code::not_found);
  EXPECT_EQ(client.words(), "no such ünit: 100%");
  EXPECT_EQ(client.closes, 1);
  EXPECT_EQ(served.closes, 0);  // it said so itself
}

TEST(GrpcStreams, LargeMessagesPassThroughSmallWindowsInAnyWeather) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    World world(seed);
    world.network.weather = {
        .latency = Milliseconds(2), .window = 7'000, .most_written = 1'000, .split_segments = true};
    auto server = world.make_server({}, echo);
    Channel channel(world.context, world.network, world.address);
    User client;
    client.stream = channel.open(kTalk, {}, client);
    const std::string big(700'000, 'b');
    client.stream->send(big);
    client.stream->send("small");
    world.run(Seconds(60));
    ASSERT_EQ(client.heard.size(), 2u) << "seed " << seed << ": " << client.words();
    EXPECT_EQ(client.heard[0].size(), big.size() + 5);
    EXPECT_EQ(client.heard[1], "echo small");
    EXPECT_EQ(client.writables, 1);
    EXPECT_EQ(client.stream->queued_bytes(), 0u);
  }
}

TEST(GrpcStreams, OneConnectionCarriesMany) {
  World world;
  auto server = world.make_server({}, echo);
  Channel channel(world.context, world.network, world.address);
  std::list<User> clients;
  for (int i = 0; i < 150; ++i) {  // above the server's limit of 100: the rest waits for its turn
    User& user = clients.emplace_back();
    user.stream = channel.open(kTalk, {}, user);
    user.stream->send(std::to_string(i));
    user.then = [&user](std::string_view) { user.stream.reset(); };
  }
  world.run(Seconds(5));
  int i = 0;
  for (const User& user : clients) {
    EXPECT_EQ(user.heard, (std::vector<std::string>{"echo " + std::to_string(i++)}));
    EXPECT_EQ(user.closes, 0);
  }
  EXPECT_EQ(world.network.connects(), 1u);
  for (const User& user : world.served) {
    EXPECT_EQ(user.code(), Code::cancelled);
  }
}

TEST(GrpcStreams, NobodyListens) {
  World world;
  Channel channel(world.context, world.network, world.address);
  User client;
  client.stream = channel.open(kTalk, {}, client);
  client.stream->send("lost");
  EXPECT_EQ(client.closes, 0);
  world.run();
  EXPECT_EQ(client.code(), Code::unavailable);
  EXPECT_EQ(client.words(), "cannot connect to 10.0.0.1:18000: Connection refused");

  world.network.set_reach(world.address, sim::Reach::no_route);
  User again;
  again.stream = channel.open(kTalk, {}, again);
  EXPECT_EQ(again.closes, 0);  // never from inside a call
  world.run();
  EXPECT_EQ(again.words(), "cannot connect to 10.0.0.1:18000: Network is unreachable");

  world.network.set_reach(world.address, sim::Reach::blackhole);
  User third;
  third.stream = channel.open(kTalk, {}, third);
  world.run(Seconds(4));
  EXPECT_EQ(third.closes, 0);
  world.run(Seconds(2));
  EXPECT_EQ(third.code(), Code::unavailable);
  EXPECT_EQ(third.words(), "10.0.0.1:18000 did not complete HTTP/2's handshake in 5000 ms");

  world.network.clear_reach(world.address);
  auto server = world.make_server({}, echo);
  User fourth;
  fourth.stream = channel.open(kTalk, {}, fourth);
  fourth.stream->send("here");
  world.run();
  EXPECT_EQ(fourth.heard, (std::vector<std::string>{"echo here"}));
}

TEST(GrpcStreams, UnknownMethodsAndRefusals) {
  World world;
  auto server = std::make_unique<Server>(world.context, world.network);
  server->handle("/test.Echo/Refuse", [](const Call&, std::unique_ptr<Stream>) -> StreamEvents* { return nullptr; });
  server->handle("/test.Echo/Explain", [](const Call&, std::unique_ptr<Stream> stream) -> StreamEvents* {
    stream->finish({Code::permission_denied, "who are you?"});
    return nullptr;
  });
  server->handle("/test.Echo/Answer", [](const Call&, std::unique_ptr<Stream> stream) -> StreamEvents* {
    stream->send("one");
    stream->send("two");
    stream->finish({});
    return nullptr;
  });
  ASSERT_TRUE(server->listen(world.address));
  Channel channel(world.context, world.network, world.address);
  const auto ask = [&](std::string_view path) {
    auto user = std::make_unique<User>();
    user->stream = channel.open(path, {}, *user);
    world.run();
    return user;
  };
  EXPECT_EQ(ask("/no.Such/Method")->code(), Code::unimplemented);
  EXPECT_EQ(ask("/no.Such/Method")->words(), "there is no method /no.Such/Method");
  EXPECT_EQ(ask("/test.Echo/Refuse")->code(), Code::unimplemented);
  EXPECT_EQ(ask("/test.Echo/Explain")->code(), Code::permission_denied);
  EXPECT_EQ(ask("/test.Echo/Explain")->words(), "who are you?");
  const auto answered = ask("/test.Echo/Answer");
  EXPECT_EQ(answered->heard, (std::vector<std::string>{"one", "two"}));
  ASSERT_TRUE(answered->closed);
  EXPECT_TRUE(answered->closed->ok());
  EXPECT_EQ(world.network.connects(), 1u);
}

TEST(GrpcStreams, MessagesOverTheLimitEndTheStreamAlone) {
  World world;
  auto server = world.make_server({.max_message_bytes = 1'000}, [](User& user) {
    echo(user);
    user.at_close = [&user] { user.stream.reset(); };
  });
  Channel channel(world.context, world.network, world.address, {.max_message_bytes = 500});
  User client;
  client.stream = channel.open(kTalk, {}, client);
  client.stream->send(std::string(2'000, 'x'));
  world.run();
  EXPECT_EQ(client.code(), Code::resource_exhausted);
  EXPECT_EQ(client.words(), "a message of 2000 bytes is longer than the limit of 1000 bytes");
  EXPECT_EQ(world.served.back().code(), Code::resource_exhausted);

  User second;
  second.stream = channel.open(kTalk, {}, second);
  second.stream->send(std::string(600, 'x'));
  world.run();
  EXPECT_EQ(second.code(), Code::resource_exhausted);
  EXPECT_EQ(world.served.back().code(), Code::cancelled);
  EXPECT_EQ(world.network.connects(), 1u);
}

TEST(GrpcStreams, DeadlinesHoldOnBothSides) {
  World world;
  auto server = world.make_server();
  Channel channel(world.context, world.network, world.address);
  User client;
  client.stream = channel.open(kTalk, {}, client, Seconds(2));
  world.run(Milliseconds(1'900));
  EXPECT_EQ(client.closes, 0);
  world.run(Milliseconds(200));
  EXPECT_EQ(client.code(), Code::deadline_exceeded);
  EXPECT_TRUE(world.served.front().closed);
}

TEST(GrpcStreams, TheServerGoes) {
  World world;
  auto server = world.make_server({}, echo);
  Channel channel(world.context, world.network, world.address);
  User client;
  client.stream = channel.open(kTalk, {}, client);
  client.stream->send("x");
  world.run();
  server.reset();
  world.run();
  EXPECT_EQ(client.code(), Code::unavailable);
  EXPECT_NE(client.words().find("10.0.0.1:18000"), std::string::npos) << client.words();
  EXPECT_EQ(world.served.front().closes, 0);  // its server is gone: it hears nothing
  EXPECT_FALSE(channel.connected());
}

TEST(GrpcStreams, ADrainLetsOpenStreamsEndAndTakesNoOthers) {
  World world;
  auto server = world.make_server({}, echo);
  Channel channel(world.context, world.network, world.address);
  User client;
  client.stream = channel.open(kTalk, {}, client);
  client.stream->send("1");
  world.run();
  server->drain(Seconds(10));
  world.run();
  client.stream->send("2");
  world.run();
  EXPECT_EQ(client.heard.size(), 2u);
  User late;
  late.stream = channel.open(kTalk, {}, late);
  world.run();
  EXPECT_EQ(late.words(), "cannot connect to 10.0.0.1:18000: Connection refused");
  EXPECT_EQ(client.closes, 0);
  world.run(Seconds(10));
  EXPECT_EQ(client.code(), Code::unavailable);
  EXPECT_NE(client.words().find("the server is going down"), std::string::npos) << client.words();
  EXPECT_EQ(world.served.front().code(), Code::unavailable);
  world.run(Seconds(5));
  EXPECT_EQ(server->connections(), 0u);
}

TEST(GrpcStreams, ADrainEndsWhenItsLastStreamDoes) {
  World world;
  auto server = world.make_server({}, echo);
  Channel channel(world.context, world.network, world.address);
  User client;
  client.stream = channel.open(kTalk, {}, client);
  world.run();
  server->drain(Seconds(1'000));
  world.run();
  EXPECT_EQ(server->connections(), 1u);
  world.served.front().stream->finish({});
  world.run(Seconds(5));
  ASSERT_TRUE(client.closed);
  EXPECT_TRUE(client.closed->ok()) << client.words();
  EXPECT_EQ(server->connections(), 0u);
}

TEST(GrpcStreams, AUserMayDestroyEverythingInsideItsCallbacks) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(seed);
    auto server = world.make_server({}, echo);
    auto channel = std::make_unique<Channel>(world.context, world.network, world.address);
    auto client = std::make_unique<User>();
    User other;
    client->stream = channel->open(kTalk, {}, *client);
    other.stream = channel->open(kTalk, {}, other);
    client->then = [&](std::string_view) {
      channel.reset();
      client.reset();
    };
    client->stream->send("a");
    client->stream->send("b");
    world.run();
    EXPECT_EQ(client, nullptr);
    EXPECT_EQ(other.closes, 0);
    other.stream->send("into the void");
    other.stream.reset();
    world.run();
    EXPECT_EQ(world.served.front().code(), Code::unavailable);
    EXPECT_EQ(server->connections(), 0u);
  }
}

TEST(GrpcStreams, AUserMayOpenAgainAndDropTheChannelWhenAStreamCloses) {
  World world;
  auto channel = std::make_unique<Channel>(world.context, world.network, world.address);
  User first;
  User second;
  User replaced;
  first.stream = channel->open(kTalk, {}, first);
  second.stream = channel->open(kTalk, {}, second);
  first.at_close = [&] {
    first.stream.reset();
    channel = std::make_unique<Channel>(world.context, world.network, Address::parse("10.0.0.2", 1).value());
    replaced.stream = channel->open(kTalk, {}, replaced);
  };
  world.run();
  EXPECT_EQ(first.closes, 1);
  EXPECT_EQ(second.closes, 0);  // its channel went while it was being told
  EXPECT_EQ(replaced.words(), "cannot connect to 10.0.0.2:1: Connection refused");
}

TEST(GrpcStreams, ASilentPeerIsNoticedByPings) {
  World world;
  auto server = world.make_server({.ping_interval = Nanoseconds(0)}, echo);
  Channel channel(world.context, world.network, world.address,
                  {.ping_interval = Seconds(10), .ping_timeout = Seconds(5)});
  User client;
  client.stream = channel.open(kTalk, {}, client);
  world.run(Seconds(100));
  EXPECT_EQ(client.closes, 0) << client.words();  // pings are answered
}

TEST(GrpcStreams, APeerThatSpeaksNoHttp2) {
  World world;
  auto server = world.make_server();
  auto transport = world.network.connect(world.address, {});
  ASSERT_TRUE(transport);
  struct Caller final : net::ConnectionEvents {
    bool gone = false;
    std::string got;
    std::size_t on_bytes(std::string_view bytes) override {
      got += bytes;
      return bytes.size();
    }
    void on_end() override { gone = true; }
    void on_closed(net::CloseReason) override { gone = true; }
  } caller;
  net::Connection connection(world.context, std::move(*transport), caller, true);
  connection.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  world.run();
  EXPECT_TRUE(caller.gone);
  connection.close_now();
  world.run(Seconds(10));
  EXPECT_EQ(server->connections(), 0u);
}

TEST(GrpcStreams, AConnectionThatSaysNothingIsClosed) {
  World world;
  auto server = world.make_server();
  auto transport = world.network.connect(world.address, {});
  struct Mute final : net::TransportEvents {
    void on_transport_ready(unsigned) override {}
  } mute;
  (*transport)->start(mute);
  world.run();
  EXPECT_EQ(server->connections(), 1u);
  world.run(Seconds(15));
  EXPECT_EQ(server->connections(), 0u);
}

}  // namespace
}  // namespace remora::grpc
