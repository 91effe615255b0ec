#include "proxy/model/cidr.h"

#include <fmt/format.h>

#include <cstring>
#include <span>

namespace remora::model {
namespace {

std::span<const std::uint8_t> bytes_of(const Address& address) {
  if (address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address.data());
    return {reinterpret_cast<const std::uint8_t*>(&v4->sin_addr), 4};
  }
  if (address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address.data());
    return {reinterpret_cast<const std::uint8_t*>(&v6->sin6_addr), 16};
  }
  return {};
}

}  // namespace

Result<Cidr> Cidr::make(const Address& prefix, std::uint32_t length) {
  const std::size_t bits = bytes_of(prefix).size() * 8;
  if (length > bits) {
    return fail(fmt::format("a prefix of {} has at most {} bits, not {}", prefix.ip(), bits, length));
  }
  Cidr result;
  result.prefix_ = prefix;
  result.length_ = length;
  return result;
}

bool Cidr::contains(const Address& address) const {
  const auto mine = bytes_of(prefix_);
  const auto other = bytes_of(address);
  if (mine.empty() || mine.size() != other.size()) {
    return false;
  }
  const std::size_t whole = length_ / 8;
  const std::uint32_t rest = length_ % 8;
  if (std::memcmp(mine.data(), other.data(), whole) != 0) {
    return false;
  }
  return rest == 0 || ((mine[whole] ^ other[whole]) >> (8 - rest)) == 0;
}

}  // namespace remora::model
