// Where the parts of validate.cc put what they find. Main thread.
#pragma once

#include <string>
#include <utility>

#include "control/catalog/builder.h"
#include "control/catalog/validate.h"

namespace remora::catalog {

class Report {
 public:
  explicit Report(Findings& findings) : findings_(findings) {}

  // Nobody reads more; whoever would look for the nearest name need not.
  bool full() const { return findings_.size() >= kMost; }

  void error(const Place& place, std::string message) { add(Severity::error, place, std::move(message)); }
  void warning(const Place& place, std::string message) { add(Severity::warning, place, std::move(message)); }
  void note(const Place& place, std::string message) { add(Severity::note, place, std::move(message)); }

 private:
  void add(Severity severity, const Place& place, std::string message) {
    if (!full()) {
      findings_.push_back({severity, error_at(place, std::move(message))});
    }
  }

  static constexpr std::size_t kMost = 1000;

  Findings& findings_;
};

// The parts, one idea each.
void check_references(const Catalog& catalog, Report& report);  // names that lead nowhere, subsets that do not exist
void check_subsets(const Catalog& catalog, Report& report);     // filters that are none, or match nothing
void check_protocols(const Catalog& catalog, Report& report);   // routers and splitters of what is no HTTP
void check_circles(const Catalog& catalog, Report& report);     // redirects and splits that lead back to themselves
void check_ports(const Catalog& catalog, Report& report);       // taken twice
void check_reachable(const Catalog& catalog, Report& report);   // called, and without a port
void check_intentions(const Catalog& catalog, Report& report);  // what nobody would enforce

}  // namespace remora::catalog
