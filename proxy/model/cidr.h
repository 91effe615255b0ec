// Cidr: a range of IP addresses. A value; any thread. Source: envoy.config.core.v3.CidrRange.
#pragma once

#include <cstdint>

#include "core/base/address.h"
#include "core/base/result.h"

namespace remora::model {

class Cidr {
 public:
  // Bits of `prefix` beyond the length do not count. Errors say what does not fit.
  static Result<Cidr> make(const Address& prefix, std::uint32_t length);
  bool contains(const Address& address) const;

  const Address& prefix() const { return prefix_; }
  std::uint32_t length() const { return length_; }

 private:
  Address prefix_;
  std::uint32_t length_ = 0;
};

}  // namespace remora::model
