#include "proxy/routing/domain_table.h"

#include <algorithm>

#include "proxy/routing/ascii.h"

namespace remora::routing {
namespace {

std::uint64_t hash_of(std::string_view text) {  // FNV-1a of the lower case
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(lower(c))) * 0x100000001b3;
  }
  return hash ^ (hash >> 32);
}

}  // namespace

void DomainTable::Names::insert(const Entry& entry) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = entry.hash & mask;
  while (slots_[slot].virtual_host != kNone) {
    slot = (slot + 1) & mask;
  }
  slots_[slot] = entry;
}

void DomainTable::Names::add(std::string_view text, std::uint32_t virtual_host) {
  if (find(text) != kNone) {
    return;
  }
  if ((used_ + 1) * 2 > slots_.size()) {
    std::vector<Entry> old(slots_.empty() ? 4 : slots_.size() * 2);
    old.swap(slots_);
    for (const Entry& entry : old) {
      if (entry.virtual_host != kNone) {
        insert(entry);
      }
    }
  }
  insert({hash_of(text), text, virtual_host});
  ++used_;
}

std::uint32_t DomainTable::Names::find(std::string_view text) const {
  if (used_ == 0) {
    return kNone;
  }
  const std::uint64_t hash = hash_of(text);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask; slots_[slot].virtual_host != kNone; slot = (slot + 1) & mask) {
    if (slots_[slot].hash == hash && equal_ignoring_case(slots_[slot].text, text)) {
      return slots_[slot].virtual_host;
    }
  }
  return kNone;
}

DomainTable::Names& DomainTable::of_length(std::vector<Wildcards>& all, std::size_t length) {
  auto at = std::find_if(all.begin(), all.end(), [&](const Wildcards& w) { return w.length <= length; });
  if (at == all.end() || at->length != length) {
    at = all.insert(at, Wildcards{length, {}});
  }
  return at->names;
}

void DomainTable::add(std::string_view domain, std::uint32_t virtual_host) {
  if (domain == "*") {
    default_ = default_ == kNone ? virtual_host : default_;
    return;
  }
  if (domain.empty()) {
    return;
  }
  only_default_ = false;
  if (domain.front() == '*') {
    of_length(suffixes_, domain.size() - 1).add(domain.substr(1), virtual_host);
  } else if (domain.back() == '*') {
    of_length(prefixes_, domain.size() - 1).add(domain.substr(0, domain.size() - 1), virtual_host);
  } else {
    exact_.add(domain, virtual_host);
  }
}

std::uint32_t DomainTable::find(std::string_view authority) const {
  if (only_default_) {
    return default_;
  }
  if (const std::uint32_t found = exact_.find(authority); found != kNone) {
    return found;
  }
  // A star stands for at least one character: "*.foo.com" is not ".foo.com".
  for (const Wildcards& wildcards : suffixes_) {
    if (wildcards.length < authority.size()) {
      const std::uint32_t found = wildcards.names.find(authority.substr(authority.size() - wildcards.length));
      if (found != kNone) {
        return found;
      }
    }
  }
  for (const Wildcards& wildcards : prefixes_) {
    if (wildcards.length < authority.size()) {
      const std::uint32_t found = wildcards.names.find(authority.substr(0, wildcards.length));
      if (found != kNone) {
        return found;
      }
    }
  }
  return default_;
}

}  // namespace remora::routing
