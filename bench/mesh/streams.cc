// bench_mesh_streams ADDRESS PORT COUNT [SERVICE]: as many light proxies, each with a connection and a delta stream for
// everything. Proxy i is node "p<i>" of service SERVICE, or of "s<i>" where none is said. Each response is a line on
// stdout: "<CLOCK_MONOTONIC, ns> <i> <type> <resources>". Ends with its input.
#include <event2/event.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "control/server/resource_cache.h"
#include "core/event/libevent_loop.h"
#include "core/grpc/channel.h"
#include "core/net/socket_transport.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace remora::bench {
namespace {

namespace discovery_v3 = envoy::service::discovery::v3;

class LightProxy final : public grpc::StreamEvents {
 public:
  LightProxy(LibeventLoop& loop, const net::ConnectionContext& context, net::Network& network, const Address& to,
             int number, const std::string& service)
      : loop_(loop), number_(number), channel_(context, network, to) {
    stream_ =
        channel_.open("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", {}, *this);
    bool named = false;
    for (const control::Type type : control::kAllTypes) {
      discovery_v3::DeltaDiscoveryRequest request;
      if (!std::exchange(named, true)) {
        request.mutable_node()->set_id(fmt::format("p{}", number));
        request.mutable_node()->set_cluster(service.empty() ? fmt::format("s{}", number) : service);
        request.mutable_node()->set_user_agent_name("bench");
      }
      request.set_type_url(std::string(control::type_url(type)));
      request.add_resource_names_subscribe("*");
      stream_->send(request.SerializeAsString());
    }
  }

 private:
  void on_message(std::string_view message) override {
    discovery_v3::DeltaDiscoveryResponse response;
    response.ParseFromArray(message.data(), static_cast<int>(message.size()));
    discovery_v3::DeltaDiscoveryRequest ack;
    ack.set_type_url(response.type_url());
    ack.set_response_nonce(response.nonce());
    stream_->send(ack.SerializeAsString());
    const std::string& url = response.type_url();
    std::printf("%lld %d %s %d\n", static_cast<long long>(loop_.precise_now().time_since_epoch().count()), number_,
                url.substr(url.rfind('.') + 1).c_str(), response.resources_size() + response.removed_resources_size());
    std::fflush(stdout);
  }
  void on_closed(const grpc::Status& status) override {
    std::fprintf(stderr, "proxy %d lost its stream: %s\n", number_, status.message.c_str());
    std::exit(1);
  }

  LibeventLoop& loop_;
  const int number_;
  grpc::Channel channel_;
  std::unique_ptr<grpc::Stream> stream_;
};

// Ends the loop when the input ends.
class End {
 public:
  explicit End(LibeventLoop& loop)
      : event_(event_new(loop.base(), STDIN_FILENO, EV_READ | EV_PERSIST, &on_event, &loop)) {
    event_add(event_, nullptr);
  }
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() { event_free(event_); }

 private:
  static void on_event(int, short, void* loop) {
    std::array<char, 256> buffer;
    if (read(STDIN_FILENO, buffer.data(), buffer.size()) <= 0) {
      static_cast<LibeventLoop*>(loop)->stop();
    }
  }

  event* event_;
};

int run(const Address& to, int count, const std::string& service) {
  LibeventLoop loop;
  net::SocketNetwork network(loop);
  BlockPool blocks;
  std::array<char, 65536> scratch;
  const net::ConnectionContext context{loop, blocks, scratch};
  std::list<LightProxy> proxies;
  for (int i = 0; i < count; ++i) {
    proxies.emplace_back(loop, context, network, to, i, service);
  }
  const End end(loop);
  loop.run();
  return 0;
}

}  // namespace
}  // namespace remora::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (argc < 4) {
    std::fputs("usage: bench_mesh_streams ADDRESS PORT COUNT [SERVICE]\n", stderr);
    return 2;
  }
  const auto to = remora::Address::parse(argv[1], static_cast<std::uint16_t>(std::atoi(argv[2])));
  if (!to) {
    std::fprintf(stderr, "bench_mesh_streams: %s\n", to.error().message.c_str());
    return 2;
  }
  return remora::bench::run(*to, std::atoi(argv[3]), argc > 4 ? argv[4] : "");
}
