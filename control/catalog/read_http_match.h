// The matches of service-router and service-intentions, whose keys lie flat in a mapping. Main thread.
#pragma once

#include <string>

#include "control/catalog/http_match.h"
#include "control/catalog/reading.h"

namespace remora::catalog {

struct PathKeys {
  std::string exact;
  std::string prefix;
  std::string regex;
};
// At most one, absolute; a regex that compiles.
void settle_path(const At& at, const PathKeys& keys, PathMatch& into);

enum class MatchWords : std::uint8_t { router_header, intention_header, query };
void read_value_match(const At& at, ValueMatch& into, MatchWords words);

}  // namespace remora::catalog
