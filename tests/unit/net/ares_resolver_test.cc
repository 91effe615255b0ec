// c-ares on our loop, against a DNS server of our own on loopback.
#include "core/net/ares_resolver.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace remora::net {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Answers questions for A and AAAA records from a table.
class DnsServer {
 public:
  DnsServer() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    socklen_t size = sizeof(address);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    timeval wait{.tv_sec = 0, .tv_usec = 20'000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    thread_ = std::thread([this] { serve(); });
  }
  ~DnsServer() {
    stop_ = true;
    thread_.join();
    close(fd_);
  }

  std::uint16_t port = 0;
  void set(const std::string& name, std::vector<std::string> addresses) {
    const std::lock_guard lock(mutex_);
    v4_[name] = std::move(addresses);
  }
  std::atomic<bool> silent{false};
  std::atomic<bool> broken{false};

 private:
  void serve() {
    while (!stop_) {
      std::array<unsigned char, 512> question;
      sockaddr_in from{};
      socklen_t size = sizeof(from);
      const ssize_t got = recvfrom(fd_, question.data(), question.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 17 || silent) {
        continue;
      }
      const std::string reply = answer({reinterpret_cast<char*>(question.data()), static_cast<std::size_t>(got)});
      sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
  std::string answer(const std::string& question) {
    const std::lock_guard lock(mutex_);
    std::string name;
    std::size_t at = 12;
    for (; question[at] != 0; at += 1 + static_cast<std::size_t>(question[at])) {
      name += (name.empty() ? "" : ".") + question.substr(at + 1, static_cast<std::size_t>(question[at]));
    }
    const bool a = question[at + 2] == 1;
    const auto known = v4_.find(name);
    const int code = broken ? 2 : known == v4_.end() ? 3 : 0;
    const std::size_t count = code == 0 && a ? known->second.size() : 0;
    std::string reply = question.substr(0, 2) + "\x81" + static_cast<char>(0x80 | code) + std::string("\0\1\0", 3) +
                        static_cast<char>(count) + std::string(4, '\0') + question.substr(12, at + 5 - 12);
    for (std::size_t i = 0; i < count; ++i) {
      in_addr address{};
      inet_pton(AF_INET, known->second[i].c_str(), &address);
      reply += std::string("\xc0\x0c\0\1\0\1\0\0\0", 9) + static_cast<char>(30 + i) + std::string("\0\4", 2) +
               std::string(reinterpret_cast<char*>(&address), 4);
    }
    return reply;
  }

  const int fd_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> v4_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Ares : ::testing::Test {
  // One answer, by a resolver and a loop of its own.
  Answer ask(const std::string& host, Resolver::Family family = Resolver::Family::v4) {
    LibeventLoop loop;
    AresResolver resolver(loop, options());
    return ask(loop, resolver, host, family);
  }
  static Answer ask(LibeventLoop& loop, AresResolver& resolver, const std::string& host,
                    Resolver::Family family = Resolver::Family::v4) {
    std::optional<Answer> got;
    const auto lookup = resolver.resolve(host, family, [&](const Answer& answer) {
      got = answer;
      loop.stop();
    });
    EXPECT_FALSE(got) << "not from inside the call";
    loop.run();
    return *got;
  }
  AresOptions options() {
    AresOptions options;
    options.servers = {Address::parse("127.0.0.1", server.port).value()};
    options.search = false;
    options.timeout = 100ms;
    return options;
  }

  DnsServer server;
};

TEST_F(Ares, ResolvesNames) {
  server.set("api.test", {"10.0.0.1", "10.0.0.2"});
  const Answer answer = ask("api.test");
  EXPECT_TRUE(answer.ok) << answer.why;
  ASSERT_THAT(answer.addresses, SizeIs(2));
  EXPECT_EQ(answer.ttl, 30s);
}

TEST_F(Ares, NoSuchNameAndNoSuchRecordAreAnswers) {
  server.set("api.test", {"10.0.0.1"});
  for (const Answer& answer : {ask("other.test"), ask("api.test", Resolver::Family::v6)}) {
    EXPECT_TRUE(answer.ok) << answer.why;
    EXPECT_THAT(answer.addresses, IsEmpty());
  }
}

TEST_F(Ares, ABrokenOrMuteServerIsAFailure) {
  server.broken = true;
  EXPECT_FALSE(ask("api.test").ok);
  server.silent = true;
  const Answer answer = ask("api.test");
  EXPECT_FALSE(answer.ok);
  EXPECT_THAT(answer.why, HasSubstr("no DNS server answered in time"));
}

TEST_F(Ares, AddressesAndLocalhostNeedNoServer) {
  server.silent = true;
  EXPECT_EQ(ask("10.1.2.3").addresses.at(0).ip(), "10.1.2.3");
  EXPECT_EQ(ask("localhost").addresses.at(0).ip(), "127.0.0.1");
}

TEST_F(Ares, AForgottenLookupCallsNobody) {
  server.set("api.test", {"10.0.0.1"});
  LibeventLoop loop;
  AresResolver resolver(loop, options());
  bool called = false;
  auto lookup = resolver.resolve("api.test", Resolver::Family::v4, [&](const Answer&) { called = true; });
  lookup.reset();
  EXPECT_EQ(ask(loop, resolver, "api.test").addresses.size(), 1U);
  EXPECT_FALSE(called);
  lookup = resolver.resolve("api.test", Resolver::Family::v4, [&](const Answer&) { called = true; });
  // and one that is under way when the resolver goes
}

}  // namespace
}  // namespace remora::net
