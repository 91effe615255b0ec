#include "proxy/ask_admin.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/base/address.h"

namespace remora::proxy {
namespace {

constexpr int kPatienceSeconds = 10;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

class Socket {
 public:
  explicit Socket(int family) : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

Result<Address> parse_admin(std::string_view admin) {
  if (admin.starts_with('/') || admin.starts_with('@')) {
    return Address::unix_path(admin);
  }
  if (admin.starts_with("localhost:")) {
    return Address::parse_ip_port(fmt::format("127.0.0.1{}", admin.substr(admin.find(':'))));
  }
  return Address::parse_ip_port(admin);
}

std::unexpected<Error> failed(std::string_view admin, int error) {
  return fail(
      fmt::format("the admin interface at {} does not answer: {}. Does the proxy run, and is this the address "
                  "of its admin? --admin says another",
                  admin, error == EAGAIN ? "no answer in time" : std::strerror(error)));
}

}  // namespace

Result<AdminAnswer> parse_admin_answer(std::string_view raw) {
  const std::size_t head_end = raw.find("\r\n\r\n");
  if (!raw.starts_with("HTTP/1.") || raw.size() < 12 || head_end == std::string_view::npos) {
    return fail("this is no admin interface: what it answers is not HTTP");
  }
  AdminAnswer answer;
  std::from_chars(raw.data() + 9, raw.data() + 12, answer.status);
  answer.body = raw.substr(head_end + 4);
  return answer;
}

Result<AdminAnswer> ask_admin(std::string_view admin, std::string_view target) {
  const auto address = parse_admin(admin);
  if (!address) {
    return std::unexpected(address.error());
  }
  const Socket socket(address->family());
  const timeval patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (socket.fd() < 0 || connect(socket.fd(), address->data(), address->size()) != 0) {
    return failed(admin, errno);
  }
  // HTTP/1.0: the answer comes whole, without chunks, and ends with the connection.
  std::string request = fmt::format("GET {} HTTP/1.0\r\nHost: admin\r\n\r\n", target);
  for (std::string_view rest = request; !rest.empty();) {
    const ssize_t sent = send(socket.fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      return failed(admin, errno);
    }
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::string raw;
  char buffer[16384];
  while (raw.size() < kMostBytes) {
    const ssize_t got = recv(socket.fd(), buffer, sizeof(buffer), 0);
    if (got < 0) {
      return failed(admin, errno);
    }
    if (got == 0) {
      break;
    }
    raw.append(buffer, static_cast<std::size_t>(got));
  }
  return parse_admin_answer(raw);
}

}  // namespace remora::proxy
