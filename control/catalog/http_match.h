// The matches that service-router and service-intentions share: paths, methods, headers. Values; any thread.
// Source: Consul's structs.ServiceRouteHTTPMatch, IntentionHTTPPermission.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/catalog/place.h"

namespace remora::catalog {

struct PathMatch {
  enum class Kind : std::uint8_t { any, exact, prefix, regex };
  Kind kind = Kind::any;
  std::string value;

  bool operator==(const PathMatch&) const = default;
};

struct ValueMatch {
  enum class Kind : std::uint8_t { present, exact, prefix, suffix, contains, regex };
  Place place;
  std::string name;
  Kind kind = Kind::present;
  std::string value;         // empty when `present`
  bool invert = false;       // headers
  bool ignore_case = false;  // headers; not with `regex`

  bool operator==(const ValueMatch&) const = default;
};

}  // namespace remora::catalog
