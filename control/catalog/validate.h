// Validate: what is wrong with a catalog as a whole, though each entry by itself is well: names that lead nowhere,
// circles, ports taken twice, routes of what is no HTTP, intentions that nobody would enforce. A pure function; main
// thread. Source: Consul's discovery chain compiler and its rules for writing config entries.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/catalog/catalog.h"
#include "core/config/config_error.h"

namespace remora::catalog {

enum class Severity : std::uint8_t {
  error,    // the catalog is not taken
  warning,  // it is taken, and something will not do what it was written for
  note,     // it is taken, and somebody should know
};
std::string_view to_string(Severity severity);

struct Finding {
  Severity severity = Severity::error;
  config::ConfigError what;
};
using Findings = std::vector<Finding>;  // in the order of their places

Findings validate(const Catalog& catalog);

bool has_errors(const Findings& findings);

}  // namespace remora::catalog
