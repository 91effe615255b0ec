// Address: an IPv4, IPv6 or Unix-domain socket address, as a value. In base, not net, since the model speaks of
// addresses and may not see sockets. Source: envoy.config.core.v3.Address.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace remora {

class Address {
 public:
  Address() = default;

  // An IP literal and a port, in host order. Errors name the text.
  static Result<Address> parse(std::string_view ip, std::uint16_t port);
  // As people write them and to_string prints them: "10.0.0.1:80", "[::1]:80".
  static Result<Address> parse_ip_port(std::string_view text);
  // A path, or an abstract name that begins with '@'.
  static Result<Address> unix_path(std::string_view path);
  static Address from_sockaddr(const sockaddr* address, socklen_t length);

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return length_; }
  int family() const { return storage_.ss_family; }
  bool is_ip() const { return family() == AF_INET || family() == AF_INET6; }
  std::uint16_t port() const;     // 0 when not IP
  std::string ip() const;         // "10.0.0.1", "::1"; the path when Unix
  std::string to_string() const;  // "10.0.0.1:80", "[::1]:80", "/run/x.sock"
  bool is_loopback() const;

  friend bool operator==(const Address& a, const Address& b);

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

}  // namespace remora
