#include "control/catalog/held_instances.h"

#include <algorithm>

namespace remora::catalog {
namespace {

bool is_well(const Service& one) {
  return one.health == Health::passing && (!one.sidecar || one.sidecar->health == Health::passing);
}

std::size_t well(const HeldInstances::Known& all) {
  return all == nullptr ? 0 : static_cast<std::size_t>(std::ranges::count_if(*all, is_well));
}

std::string key_of(const Service& one) { return (one.node == nullptr ? "" : one.node->name) + "/" + one.id; }

// As if the checks passed that were not carried out yet, but for those of instances that were well before: what is said
// of those is news. Null: that changes nothing.
HeldInstances::Known trusted(const Instances& from, const std::set<std::string>& were_well) {
  auto result = std::make_shared<Instances>(from);
  bool any = false;
  const auto trust = [&any](auto& one) {
    if (one.untested) {
      one.health = Health::passing;
      any = true;
    }
  };
  for (Service& service : *result) {
    if (were_well.contains(key_of(service))) {
      continue;
    }
    trust(service);
    if (service.sidecar) {
      trust(*service.sidecar);
    }
  }
  return any ? result : nullptr;
}

}  // namespace

void HeldInstances::gap(MonotonicTime now, Nanoseconds hold, const Known& known) {
  blind_ = known == nullptr;
  // Of two outages soon after each other the first one may have taken what the second one finds.
  if (outage_.gap(now, hold) || well(known) >= well(held_)) {
    held_ = known;
  }
}

bool HeldInstances::doubtful(MonotonicTime now, const Known& known) const {
  return blind_ && outage_.doubts(now) && (known == nullptr || known->empty() || well(known) < known->size());
}

HeldInstances::Known HeldInstances::at(MonotonicTime now, const Known& known) {
  if (!outage_.doubts(now)) {
    held_ = nullptr;
  } else if (well(known) > well(held_)) {
    held_ = known;  // a restarted server first says what it had on its disk
  }
  guess(now, known);
  return well(guess_) > well(held_) ? guess_ : held_;
}

MonotonicTime HeldInstances::next(MonotonicTime now) const {
  MonotonicTime next = MonotonicTime::max();
  if (outage_.doubts(now)) {
    next = outage_.until();
  }
  return guess_ != nullptr && new_until_ > now ? std::min(next, new_until_) : next;
}

void HeldInstances::guess(MonotonicTime now, const Known& known) {
  if (known == nullptr || now >= new_until_) {
    guess_ = guessed_of_ = nullptr;
    were_well_.clear();
    return;
  }
  if (guessed_of_ == known) {
    return;
  }
  guessed_of_ = known;
  for (const Service& one : *known) {
    if (is_well(one)) {
      were_well_.insert(key_of(one));
    }
  }
  guess_ = trusted(*known, were_well_);
}

}  // namespace remora::catalog
