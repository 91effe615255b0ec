// Bytes from anywhere to our gRPC server, in a simulated world, after a good preface or instead of it: no crash, no
// leak, no connection that stays, and no answer that breaks HTTP/2's framing.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <list>
#include <memory>
#include <string_view>

#include "core/base/arena.h"
#include "core/grpc/server.h"
#include "tests/sim/peer.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_network.h"

namespace {

using namespace remora;

struct Echo final : grpc::StreamEvents {
  std::unique_ptr<grpc::Stream> stream;
  void on_message(std::string_view message) override {
    if (stream == nullptr) {
      return;
    }
    stream->send(message);
    if (message.size() % 7 == 3) {
      stream->finish({grpc::Code::aborted, std::string(message.substr(0, 40))});
      stream.reset();
    } else if (message.size() % 7 == 5) {
      stream.reset();
    }
  }
  void on_half_closed() override {
    if (stream != nullptr) {
      stream->finish({});
      stream.reset();
    }
  }
  void on_closed(const grpc::Status&) override { stream.reset(); }
};

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);

// Frames must fill what came exactly, but for a last one that was cut by the end of the connection.
void check_frames(std::string_view bytes) {
  while (bytes.size() >= 9) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const std::size_t size = static_cast<std::size_t>(at(0)) << 16 | static_cast<std::size_t>(at(1)) << 8 | at(2);
    if (at(3) > 9) {
      std::abort();
    }
    if (bytes.size() < 9 + size) {
      return;
    }
    bytes.remove_prefix(9 + size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::uint8_t choice = data[0];
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  sim::SimLoop loop(1);
  sim::SimNetwork network(loop, 1);
  network.weather.split_segments = (choice & 2) != 0;
  BlockPool blocks;
  std::array<char, 4096> scratch{};
  const net::ConnectionContext context{loop, blocks, scratch};
  std::list<Echo> echoes;
  grpc::Server server(context, network, {.max_message_bytes = 1000, .max_streams = 5});
  const auto take = [&](const grpc::Call&, std::unique_ptr<grpc::Stream> stream) -> grpc::StreamEvents* {
    Echo& echo = echoes.emplace_back();
    echo.stream = std::move(stream);
    return &echo;
  };
  server.handle("/a.B/C", take);
  server.handle("/", take);
  const Address address = Address::parse("10.0.0.1", 1).value();
  if (!server.listen(address)) {
    std::abort();
  }
  {
    auto transport = network.connect(address, {});
    sim::Peer peer(std::move(*transport));
    if ((choice & 1) != 0) {
      peer.send(kPreface);
      peer.send(kSettings);
    }
    peer.send(input);
    loop.advance(Milliseconds(50));
    if ((choice & 4) != 0) {
      server.drain(Seconds(1));
      loop.advance(Seconds(1));
    }
    peer.close((choice & 8) != 0);
    check_frames(peer.received);
  }
  loop.advance(Seconds(120));
  if (server.connections() != 0) {
    std::abort();
  }
  return 0;
}
