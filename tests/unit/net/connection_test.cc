// A connection on real sockets: what the kernel tells of by one event, and by none after it.
#include "core/net/connection.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"

namespace remora::net {
namespace {

// The other end, by hand.
class Peer {
 public:
  Peer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    address_ = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&at), size);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    ::close(listener_);
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }

  const Address& address() const { return address_; }
  void accept() { fd_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }
  void send(const std::string& bytes) {
    ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    ::close(std::exchange(fd_, -1));
  }

 private:
  int listener_ = -1;
  int fd_ = -1;
  Address address_;
};

struct Heard final : ConnectionEvents {
  explicit Heard(LibeventLoop& where) : loop(where) {}
  void on_connected() override { loop.post(then); }
  std::size_t on_bytes(std::string_view more) override {
    bytes += more;
    return more.size();
  }
  bool expects_more() const override { return in_message; }
  void on_end() override {}
  void on_closed(CloseReason reason) override {
    closed = reason;
    loop.stop();
  }

  LibeventLoop& loop;
  std::function<void()> then;  // once it is connected, on a later turn
  bool in_message = true;
  std::string bytes;
  std::optional<CloseReason> closed;
};

class ConnectionTest : public testing::Test {
 protected:
  // Runs until the connection is closed, or for a while.
  void run(std::function<void()> then) {
    heard_.then = std::move(then);
    auto transport = network_.connect(peer_.address(), {});
    ASSERT_TRUE(transport);
    connection_ =
        std::make_unique<Connection>(ConnectionContext{loop_, blocks_, scratch_}, std::move(*transport), heard_, true);
    limit_.bind<&ConnectionTest::on_limit>(this);
    loop_.arm(limit_, Milliseconds(2000));
    loop_.run();
  }
  void on_limit() { loop_.stop(); }
  void write_soon() {
    write_.bind<&ConnectionTest::on_write>(this);
    loop_.arm(write_, Milliseconds(50));
  }
  void on_write() {
    EXPECT_FALSE(heard_.closed);
    connection_->write("next");
  }

  LibeventLoop loop_;
  BlockPool blocks_;
  std::array<char, 4096> scratch_{};
  SocketNetwork network_{loop_};
  Peer peer_;
  Heard heard_{loop_};
  Timer limit_;
  Timer write_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, AResetRightBehindHalfAMessageIsHeardOfAtOnce) {
  run([this] {
    peer_.accept();
    peer_.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    peer_.reset();  // both are there before we look: one event tells of both
  });
  EXPECT_TRUE(heard_.bytes.ends_with("half"));
  ASSERT_TRUE(heard_.closed);
  EXPECT_EQ(heard_.closed->error, ECONNRESET);
}

// Nobody waits for anything: it costs no look, and who writes next is told.
TEST_F(ConnectionTest, AResetRightBehindAWholeMessageIsMetByTheNextWrite) {
  heard_.in_message = false;
  run([this] {
    peer_.accept();
    peer_.send("whole");
    peer_.reset();
    write_soon();
  });
  EXPECT_EQ(heard_.bytes, "whole");
  EXPECT_TRUE(heard_.closed);
}

}  // namespace
}  // namespace remora::net
