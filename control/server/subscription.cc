#include "control/server/subscription.h"

#include <algorithm>
#include <bit>
#include <charconv>

namespace remora::control {
namespace {

constexpr std::string_view kStar = "*";

std::uint64_t parse_version(std::string_view text) {
  std::uint64_t hash = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hash, 16);
  const bool ours = error == std::errc() && end == text.data() + text.size() && text.size() == 16;
  return ours ? hash : 1;  // another server's version: it has something, but not what we have
}

}  // namespace

void Subscription::begin(bool empty) {
  if (started_) {
    return;
  }
  started_ = true;
  if (empty && may_be_wildcard()) {
    wildcard_ = legacy_ = true;
  }
}

// ---- delta

void Subscription::subscribe(std::span<const std::string> names) {
  const bool first = !started_;
  begin(names.empty());
  for (const std::string& name : names) {
    if (name == kStar) {
      owes_answer_ = owes_answer_ || !wildcard_;
      wildcard_ = true;
    } else {
      names_.insert(name);
      if (!first) {
        again_.insert(name);  // who asks anew is answered anew, whatever it had
      }
    }
  }
  if (first) {
    owes_answer_ = wildcard_ && known_.empty();
    forget_unwanted();
  }
}

void Subscription::unsubscribe(std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (name == kStar) {
      wildcard_ = false;
    } else {
      names_.erase(name);
      again_.erase(name);
    }
  }
  forget_unwanted();
}

void Subscription::claim(std::string_view name, std::string_view version) {
  known_.insert_or_assign(std::string(name), parse_version(version));
}

// ---- state of the world

bool Subscription::replace(std::span<const std::string> names) {
  const bool first = !started_;
  begin(names.empty());
  Names wanted;
  bool star = false;
  for (const std::string& name : names) {
    if (name == kStar) {
      star = true;
    } else {
      wanted.insert(name);
    }
  }
  legacy_ = legacy_ && names.empty();  // the old wildcard holds until the client names something
  const bool now_wildcard = star || legacy_;
  const bool differs = first || wanted != names_ || now_wildcard != wildcard_;
  wildcard_ = now_wildcard;
  names_ = std::move(wanted);
  owes_answer_ = owes_answer_ || (first && may_be_wildcard());
  forget_unwanted();
  return differs;
}

void Subscription::claim_all(const ResourceSet& set) {
  for (const auto& [name, resource] : set.all()) {
    if (wants(name)) {
      known_.insert_or_assign(name, resource->hash);
    }
  }
  owes_answer_ = false;
}

void Subscription::forget_unwanted() {
  std::erase_if(known_, [this](const auto& entry) { return !wants(entry.first); });
  std::erase_if(again_, [this](const auto& name) { return !wants(name); });
}

// ---- both

void Subscription::again(std::string_view name) {
  if (wants(name) && known_.contains(name)) {
    again_.emplace(name);
  }
}

void Subscription::all_again() {
  for (const auto& [name, hash] : known_) {
    again_.insert(name);
  }
  owes_answer_ = owes_answer_ || may_be_wildcard();
}

Subscription::Diff Subscription::diff(const ResourceSet& set) const {
  Diff diff;
  const auto compare = [&](const std::string& name, const ResourcePtr& resource) {
    const auto known = known_.find(name);
    const bool has = known != known_.end() && known->second != 0;
    if (!has || known->second != resource->hash || again_.contains(name)) {
      diff.changed.push_back({name, resource, has});
    }
  };
  if (wildcard_) {
    for (const auto& [name, resource] : set.all()) {
      compare(name, resource);
    }
  } else {
    for (const std::string& name : names_) {
      if (const auto found = set.all().find(name); found != set.all().end()) {
        compare(found->first, found->second);
      }
    }
  }
  for (const auto& [name, hash] : known_) {
    if ((hash != 0 || again_.contains(name)) && set.find(name) == nullptr) {
      diff.removed.push_back(name);
    }
  }
  for (const std::string& name : names_) {
    if (!known_.contains(name) && set.find(name) == nullptr) {
      diff.removed.push_back(name);
    }
  }
  return diff;
}

void Subscription::sent(std::string_view name, std::uint64_t hash) {
  known_.insert_or_assign(std::string(name), hash);
  if (const auto found = again_.find(name); found != again_.end()) {
    again_.erase(found);
  }
}

void Subscription::told_missing(std::string_view name) {
  if (names_.contains(name)) {
    sent(name, 0);
    return;
  }
  if (const auto found = known_.find(name); found != known_.end()) {
    known_.erase(found);
  }
}

std::uint64_t Subscription::version(const ResourceSet& set) const {
  if (wildcard_) {
    return set.version();
  }
  std::uint64_t version = 1;
  for (const std::string& name : names_) {
    if (const Resource* resource = set.find(name)) {
      version = hash_of(name, version) ^ std::rotl(resource->hash, 1);
    }
  }
  return version == 0 ? 1 : version;
}

std::size_t Subscription::resources() const {
  return static_cast<std::size_t>(
      std::count_if(known_.begin(), known_.end(), [](const auto& entry) { return entry.second != 0; }));
}

}  // namespace remora::control
