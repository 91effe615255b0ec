// Two real workers under traffic that go over to one configuration after another, each at its own moment.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string_view>
#include <thread>

#include "proxy/publisher.h"
#include "proxy/worker_thread.h"
#include "tests/unit/swap/snapshots.h"

namespace remora::proxy {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Answers each request with 200, or 503 now and then, so that breakers and ejections have something to do.
class Upstream {
 public:
  Upstream() {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listening_, reinterpret_cast<sockaddr*>(&address), size), 0);
    listen(listening_, 128);
    getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Upstream() {
    stop_.store(true);
    thread_.join();
    close(listening_);
  }
  int port() const { return port_; }

 private:
  void run() {
    std::vector<pollfd> all{{listening_, POLLIN, 0}};
    int answers = 0;
    while (!stop_.load()) {
      if (poll(all.data(), all.size(), 20) <= 0) {
        continue;
      }
      for (std::size_t i = all.size(); i-- > 1;) {
        if (all[i].revents != 0 && !answer(all[i].fd, ++answers)) {
          close(all[i].fd);
          all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
      if (all[0].revents != 0) {
        all.push_back({accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC), POLLIN, 0});
      }
    }
    for (std::size_t i = 1; i < all.size(); ++i) {
      close(all[i].fd);
    }
  }
  static bool answer(int fd, int number) {
    std::array<char, 4096> request;
    if (recv(fd, request.data(), request.size(), 0) <= 0) {
      return false;
    }
    const std::string_view words = number % 7 == 0 ? "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"
                                                   : "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    return send(fd, words.data(), words.size(), MSG_NOSIGNAL) > 0;
  }

  int listening_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Sends requests over one connection until told to stop; each must be answered.
void ask(int port, const std::atomic<bool>& stop, std::atomic<int>& answered, std::atomic<int>& lost) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ++lost;
  }
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
  std::array<char, 4096> answer;
  while (!stop.load()) {
    if (send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) <= 0 ||
        recv(fd, answer.data(), answer.size(), 0) <= 0) {
      ++lost;
      break;
    }
    ++answered;
  }
  close(fd);
}

TEST(SwapThreads, TwoWorkersSwapUnderLoad) {
  constexpr int kRounds = 60;
  std::array<Upstream, 3> upstreams;
  LibeventLoop loop;
  upstream::SharedState shared(2, [](const std::string&) {});
  metrics::Registry registry({});
  std::vector<std::unique_ptr<WorkerThread>> workers;
  Publisher publisher(loop, shared);
  for (unsigned i = 0; i < 2; ++i) {
    workers.push_back(std::make_unique<WorkerThread>(registry.add_worker(), WorkerOptions{.index = i, .seed = i + 1}));
    publisher.add_worker(*workers.back());
  }
  const std::string settings =
      "outlier_detection: {consecutive_5xx: 1, base_ejection_time: 0.05s, interval: 0.05s, max_ejection_percent: 60}";
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> clients;
  int round = 0;
  std::function<void(const Publisher::Result&)> next = [&](const Publisher::Result& result) {
    EXPECT_TRUE(result.errors.empty());
    if (clients.empty()) {
      const int port = publisher.listening().front().address.port();
      for (int i = 0; i < 4; ++i) {
        clients.emplace_back([&, port] { ask(port, stop, answered, lost); });
      }
    }
    if (++round >= kRounds) {
      loop.stop();
      return;
    }
    Wanted wanted{.listeners = {0}, .endpoints = {}, .cluster = settings};
    for (int i = 0; i < 3; ++i) {
      if (round % 4 != i) {
        wanted.endpoints.push_back(upstreams[static_cast<std::size_t>(i)].port());
      }
    }
    if (round % 2 == 0) {
      wanted.listeners.push_back(0);
    }
    if (round % 5 == 0) {
      wanted.cluster += fmt::format(", circuit_breakers: {{thresholds: [{{max_requests: {}}}]}}", 100 + round);
    }
    publisher.publish(make_snapshot(wanted), next);
  };
  publisher.publish(make_snapshot({.listeners = {0}, .endpoints = {upstreams[0].port()}, .cluster = settings}), next);
  loop.run();
  stop.store(true);
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_EQ(lost.load(), 0);
  EXPECT_GT(answered.load(), 0);
  EXPECT_FALSE(registry.scrape().empty());
  workers.clear();
}

}  // namespace
}  // namespace remora::proxy
