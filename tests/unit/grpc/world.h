// A channel and a server in a simulated world, and users of streams who keep what they hear. Owned by a test.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/arena.h"
#include "core/grpc/channel.h"
#include "core/grpc/server.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_network.h"

namespace remora::grpc {

// One end of a stream.
struct User final : StreamEvents {
  std::unique_ptr<Stream> stream;
  std::vector<std::string> heard;
  int half_closes = 0;
  int writables = 0;
  std::optional<Status> closed;
  int closes = 0;
  std::function<void(std::string_view)> then;  // at each message
  std::function<void()> at_close;

  void on_message(std::string_view message) override {
    heard.emplace_back(message);
    if (then) {
      auto act = then;  // it may replace or destroy us
      act(message);
    }
  }
  void on_half_closed() override { ++half_closes; }
  void on_writable() override { ++writables; }
  void on_closed(const Status& status) override {
    closed = status;
    ++closes;
    if (at_close) {
      auto act = at_close;
      act();
    }
  }
  Code code() const { return closed ? closed->code : Code::ok; }
  std::string words() const { return closed ? closed->message : "still open"; }
};

struct World {
  explicit World(std::uint64_t seed = 1) : loop(seed), network(loop, seed) {}

  sim::SimLoop loop;
  sim::SimNetwork network;
  BlockPool blocks;
  std::array<char, 64 * 1024> scratch;
  net::ConnectionContext context{loop, blocks, scratch};
  const Address address = Address::parse("10.0.0.1", 18000).value();

  // What the server was asked, and its ends of the streams.
  struct Asked {
    std::string path;
    Metadata metadata;
    std::string authority;
    std::optional<Nanoseconds> timeout;
  };
  std::vector<Asked> asked;
  std::list<User> served;

  // Takes every call and leaves it to the test, or to `serve`.
  std::unique_ptr<Server> make_server(ServerOptions options = {}, const std::function<void(User&)>& serve = {}) {
    auto server = std::make_unique<Server>(context, network, options);
    server->handle("/test.Echo/Talk", [this, serve](const Call& call, std::unique_ptr<Stream> stream) -> StreamEvents* {
      asked.push_back({std::string(call.path), call.metadata, std::string(call.authority), call.timeout});
      User& user = served.emplace_back();
      user.stream = std::move(stream);
      if (serve) {
        serve(user);
      }
      return &user;
    });
    EXPECT_TRUE(server->listen(address));
    return server;
  }
  void run(Nanoseconds time = Milliseconds(100)) { loop.advance(time); }
};

}  // namespace remora::grpc
