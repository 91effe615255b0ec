// Problem: what is wrong with the mesh as a whole, or what this version cannot do of it, and where that was written. A
// value; any thread.
#pragma once

#include <string>
#include <vector>

#include "control/catalog/place.h"

namespace remora::translate {

struct Problem {
  enum class Severity : unsigned char {
    error,   // what was asked for cannot be done; what depends on it answers with this text
    warning  // it is done without this
  };
  Severity severity = Severity::error;
  catalog::Place place;
  std::string message;  // names what it speaks of: a place may be empty

  bool operator==(const Problem&) const = default;
};

using Problems = std::vector<Problem>;

}  // namespace remora::translate
