// A whole steady-state request through a worker, over real sockets: accept is past, then listener, codec, exchange,
// route, pool, upstream, and back. Client and upstream are another thread of this process, so that the allocation
// counter, which is each thread's own, sees the worker's alone. It must see nothing at all.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/micro/allocations.h"
#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"
#include "metrics/registry.h"
#include "proxy/worker.h"
#include "proxy/xds/bootstrap.h"

namespace remora::bench {
namespace {

constexpr int kWarmUp = 500;
constexpr int kRequests = 5000;

[[noreturn]] void give_up(const char* what) { throw std::runtime_error(std::string("worker_bench: ") + what); }

// A blocking socket.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    if (fd_ < 0) {
      give_up("no socket");
    }
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(fd_); }

  int fd() const { return fd_; }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) {
        give_up("send failed");
      }
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  // One message with a content-length, or none and no body.
  void receive() {
    std::size_t end = std::string::npos;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      more();
    }
    std::size_t size = end + 4;
    if (const std::size_t at = in_.find("content-length: "); at < end) {
      size += std::stoul(in_.substr(at + 16, 20));
    }
    while (in_.size() < size) {
      more();
    }
    in_.erase(0, size);
  }

 private:
  void more() {
    char buffer[16384];
    const ssize_t got = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (got <= 0) {
      give_up("the proxy closed the connection");
    }
    in_.append(buffer, static_cast<std::size_t>(got));
  }

  int fd_;
  std::string in_;
};

std::uint16_t listen_somewhere(int fd) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 16) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("cannot listen");
  }
  return ntohs(address.sin_port);
}

std::shared_ptr<const model::Snapshot> configuration(std::uint16_t upstream) {
  const std::string text =
      "static_resources: {listeners: [{name: main, address: {socket_address: {address: 127.0.0.1, port_value: 0}}, "
      "filter_chains: [{filters: [{name: http, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
      "stat_prefix: main, use_remote_address: true, tracing: {random_sampling: {value: 100}}, route_config: {name: r, "
      "virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: up, retry_policy: "
      "{retry_on: 5xx}}, response_headers_to_add: [{header: {key: x-cluster, value: '%UPSTREAM_CLUSTER%'}}]}]}]}, "
      "http_filters: [{name: envoy.filters.http.router, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]}], clusters: [{name: up, "
      "outlier_detection: {}, load_assignment: {cluster_name: up, endpoints: [{lb_endpoints: [{endpoint: {address: "
      "{socket_address: {address: 127.0.0.1, port_value: " +
      std::to_string(upstream) + "}}}}]}]}}]}";
  auto snapshot = xds::load_bootstrap(text, "worker_bench", {});
  if (!snapshot) {
    give_up(snapshot.error().front().to_string().c_str());
  }
  return *snapshot;
}

struct Result {
  std::uint64_t allocations = 0;
  double seconds = 0;
};

// Client and upstream, one request after the other; the worker's thread counts what it allocates in between.
void converse(LibeventLoop& loop, int listening, std::uint16_t proxy, const std::string& request,
              const std::string& response, Result& result) {
  Socket client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(proxy);
  if (connect(client.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    give_up("cannot connect");
  }
  client.send(request);
  Socket upstream(accept(listening, nullptr, nullptr));
  const auto answer = [&] {
    upstream.receive();
    upstream.send(response);
    client.receive();
  };
  answer();
  for (int i = 0; i < kWarmUp; ++i) {
    client.send(request);
    answer();
  }
  loop.post([&result] { result.allocations = allocations(); });
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kRequests; ++i) {
    client.send(request);
    answer();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  loop.post([&result, &loop] {
    result.allocations = allocations() - result.allocations;
    loop.stop();
  });
}

void worker_request(benchmark::State& state, const std::string& request, const std::string& response,
                    Promise promise = Promise::no_allocations) {
  Result result;
  for (auto _ : state) {
    LibeventLoop loop;
    net::SocketNetwork network(loop);
    metrics::Registry registry({});
    upstream::SharedState shared(1);
    const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    proxy::Worker worker(loop, network, registry.add_worker(), nullptr, {.index = 0, .seed = 7});
    const auto prepared = proxy::prepare(configuration(listen_somewhere(listening)), shared, nullptr);
    if (const auto applied = worker.apply(prepared); !applied.errors.empty()) {
      give_up(applied.errors.front().words.c_str());
    }
    const std::uint16_t port = worker.listeners().front()->address().port();
    std::thread peers([&] { converse(loop, listening, port, request, response, result); });
    loop.run();
    peers.join();
    close(listening);
    state.SetIterationTime(result.seconds / kRequests);
  }
  state.counters["allocs"] = static_cast<double>(result.allocations) / kRequests;
  if (promise == Promise::no_allocations && result.allocations > 0) {
    report_broken_promise(static_cast<double>(result.allocations) / kRequests);
  }
}

std::string get() { return "GET /cart?page=2 HTTP/1.1\r\nhost: shop\r\nuser-agent: bench\r\naccept: */*\r\n\r\n"; }
std::string post(std::size_t body) {
  return "POST /cart HTTP/1.1\r\nhost: shop\r\ncontent-length: " + std::to_string(body) + "\r\n\r\n" +
         std::string(body, 'x');
}
std::string ok(std::size_t body) {
  return "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: " + std::to_string(body) + "\r\n\r\n" +
         std::string(body, 'y');
}

BENCHMARK_CAPTURE(worker_request, get, get(), ok(128))->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(worker_request, post_4k, post(4096), ok(4096))
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMicrosecond);
// What its reader's socket does not take at once waits in blocks of 32 KB, which the heap gives.
BENCHMARK_CAPTURE(worker_request, get_200k, get(), ok(200'000), Promise::none)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace remora::bench
