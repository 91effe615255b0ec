#include "proxy/model/listener.h"

#include <cstring>

namespace remora::model {

bool HttpConnectionManager::AddressRange::contains(const Address& address) const {
  if (address.family() != prefix.family()) {
    return false;
  }
  const auto bytes = [](const Address& of) {
    return of.family() == AF_INET
               ? reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in*>(of.data())->sin_addr)
               : reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in6*>(of.data())->sin6_addr);
  };
  const unsigned char* a = bytes(address);
  const unsigned char* b = bytes(prefix);
  const std::uint32_t whole = length / 8;
  if (std::memcmp(a, b, whole) != 0) {
    return false;
  }
  const std::uint32_t rest = length % 8;
  return rest == 0 || (a[whole] >> (8 - rest)) == (b[whole] >> (8 - rest));
}

}  // namespace remora::model
