// HeldInstances: whom of a service's instances to believe in while Consul may not know yet what it knew. For a while
// after an outage: those that were there before it. For a while after our own start, when nobody can tell what was
// before it: those that we never saw well and whose checks Consul has not carried out yet, as if these passed. It
// matters only where by Consul's present word none is well (translate::members_of). A value; any thread. Source:
// Consul's agent, which calls every check critical, without output, until it has carried it out.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "control/catalog/after_outage.h"
#include "control/catalog/catalog.h"

namespace remora::catalog {

class HeldInstances {
 public:
  using Known = std::shared_ptr<const Instances>;  // null: nothing was read yet

  // `outage`: of those who asked Consul before; `new_until`: till then we count as just started.
  HeldInstances(const AfterOutage& outage, MonotonicTime now, MonotonicTime new_until)
      : outage_(outage), new_until_(new_until), blind_(outage.doubts(now)) {}

  // The first answer after a gap came; `known`: what was read before it.
  void gap(MonotonicTime now, Nanoseconds hold, const Known& known);
  // Nothing is known of the time before an outage that is not long ago, and not all are well: a proxy may know better.
  bool doubtful(MonotonicTime now, const Known& known) const;
  // Null: what Consul says now is all that counts.
  Known at(MonotonicTime now, const Known& known);
  // When what `at` says may change by itself; MonotonicTime::max(): it does not.
  MonotonicTime next(MonotonicTime now) const;

 private:
  void guess(MonotonicTime now, const Known& known);

  AfterOutage outage_;
  const MonotonicTime new_until_;
  bool blind_;                       // nothing was known before the outage
  Known held_;                       // what was known before the outage, or after it, if that was better
  std::set<std::string> were_well_;  // while we are new: node and id of each instance that has been well
  Known guessed_of_;
  Known guess_;
};

}  // namespace remora::catalog
