#include "core/base/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace remora {

Result<Address> Address::parse(std::string_view ip, std::uint16_t port) {
  Address result;
  const std::string text(ip);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage_);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    result.length_ = sizeof(sockaddr_in);
    return result;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage_);
  result.storage_ = {};
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    result.length_ = sizeof(sockaddr_in6);
    return result;
  }
  return fail(fmt::format("'{}' is not an IPv4 or IPv6 address", ip));
}

Result<Address> Address::parse_ip_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  std::string_view ip = text.substr(0, colon);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const bool bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
  if (bracketed) {
    ip = ip.substr(1, ip.size() - 2);
  }
  const bool port_is_good = !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
  if (port_is_good && bracketed == (ip.find(':') != std::string_view::npos)) {
    if (auto address = parse(ip, port)) {
      return address;
    }
  }
  return fail(fmt::format("'{}' is no address with a port: write 10.0.0.1:80 or [::1]:80", text));
}

Result<Address> Address::unix_path(std::string_view path) {
  Address result;
  auto* un = reinterpret_cast<sockaddr_un*>(&result.storage_);
  if (path.empty() || path.size() >= sizeof(un->sun_path)) {
    return fail(fmt::format("a Unix socket path has 1 to {} bytes, not {}", sizeof(un->sun_path) - 1, path.size()));
  }
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.data(), path.size());
  if (path.front() == '@') {
    un->sun_path[0] = '\0';
    result.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  } else {
    result.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  }
  return result;
}

Address Address::from_sockaddr(const sockaddr* address, socklen_t length) {
  Address result;
  result.length_ = std::min<socklen_t>(length, sizeof(result.storage_));
  std::memcpy(&result.storage_, address, result.length_);
  return result;
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  }
  if (family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  }
  return 0;
}

std::string Address::ip() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (family()) {
    case AF_INET:
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, text.data(), text.size());
      return text.data();
    case AF_INET6:
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, text.data(), text.size());
      return text.data();
    case AF_UNIX: {
      const auto* un = reinterpret_cast<const sockaddr_un*>(&storage_);
      const std::size_t size = length_ - std::min<std::size_t>(length_, offsetof(sockaddr_un, sun_path));
      if (size > 0 && un->sun_path[0] == '\0') {
        return "@" + std::string(un->sun_path + 1, size - 1);
      }
      return std::string(un->sun_path, strnlen(un->sun_path, size));
    }
    default:
      return {};
  }
}

std::string Address::to_string() const {
  switch (family()) {
    case AF_INET:
      return fmt::format("{}:{}", ip(), port());
    case AF_INET6:
      return fmt::format("[{}]:{}", ip(), port());
    default:
      return ip();
  }
}

bool Address::is_loopback() const {
  if (family() == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr) >> 24) == 127;
  }
  if (family() == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr) != 0;
  }
  return family() == AF_UNIX;
}

bool operator==(const Address& a, const Address& b) {
  return a.length_ == b.length_ && std::memcmp(&a.storage_, &b.storage_, a.length_) == 0;
}

}  // namespace remora
