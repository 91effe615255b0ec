// Resolver: names to addresses. The production one speaks DNS (ares_resolver.h); tests have their own. The loop's
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"

namespace remora::net {

// What came of one question.
struct Answer {
  bool ok = false;                      // false: nobody answered, or with an error; then what was known still holds
  std::vector<Address> addresses = {};  // without port; empty, and ok: there is no such name, or it has no such record
  Seconds ttl{0};                       // the shortest of the records; 0: not known, as of /etc/hosts
  std::string why = {};                 // when it failed, or is empty: in words
};

// A question under way. Forgets it when it dies: then nobody is called.
class Lookup {
 public:
  virtual ~Lookup() = default;
};

class Resolver {
 public:
  enum class Family : std::uint8_t { v4, v6 };
  using Done = std::function<void(const Answer&)>;

  virtual ~Resolver() = default;
  // `done` is called on a later turn, once, unless the lookup dies before.
  [[nodiscard]] virtual std::unique_ptr<Lookup> resolve(const std::string& host, Family family, Done done) = 0;
};

}  // namespace remora::net
