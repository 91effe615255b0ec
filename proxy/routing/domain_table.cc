#include "proxy/routing/domain_table.h"

#include <algorithm>

#include "proxy/routing/ascii.h"

namespace remora::routing {
namespace {

// FNV-1a of the lower case, fed from the front for names and prefixes, from the back for suffixes: so one pass over an
// authority has, on its way, the hash of each length that some wildcard has.
class Hash {
 public:
  void feed(char c) { hash_ = (hash_ ^ static_cast<unsigned char>(lower(c))) * 0x100000001b3; }
  std::uint64_t value() const { return hash_ ^ (hash_ >> 32); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

std::uint64_t hash_forward(std::string_view text) {
  Hash hash;
  for (const char c : text) {
    hash.feed(c);
  }
  return hash.value();
}

std::uint64_t hash_backward(std::string_view text) {
  Hash hash;
  for (std::size_t i = text.size(); i > 0; --i) {
    hash.feed(text[i - 1]);
  }
  return hash.value();
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

void DomainTable::Names::add(std::string_view text, std::uint64_t hash, std::uint32_t virtual_host) {
  if (find(text, hash) != kNone) {
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
  insert({hash, text, virtual_host});
  ++used_;
}

std::uint32_t DomainTable::Names::find(std::string_view text, std::uint64_t hash) const {
  if (used_ == 0) {
    return kNone;
  }
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask; slots_[slot].virtual_host != kNone; slot = (slot + 1) & mask) {
    if (slots_[slot].hash == hash && equal_ignoring_case(slots_[slot].text, text)) {
      return slots_[slot].virtual_host;
    }
  }
  return kNone;
}

DomainTable::Names& DomainTable::of_length(std::vector<Wildcards>& all, std::size_t length) {
  auto at = std::find_if(all.begin(), all.end(), [&](const Wildcards& w) { return w.length >= length; });
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
    const std::string_view suffix = domain.substr(1);
    of_length(suffixes_, suffix.size()).add(suffix, hash_backward(suffix), virtual_host);
  } else if (domain.back() == '*') {
    const std::string_view prefix = domain.substr(0, domain.size() - 1);
    of_length(prefixes_, prefix.size()).add(prefix, hash_forward(prefix), virtual_host);
  } else {
    exact_.add(domain, hash_forward(domain), virtual_host);
  }
}

std::uint32_t DomainTable::find(std::string_view authority) const {
  if (only_default_) {
    return default_;
  }
  if (!exact_.empty()) {
    if (const std::uint32_t found = exact_.find(authority, hash_forward(authority)); found != kNone) {
      return found;
    }
  }
  // A star stands for at least one character: "*.foo.com" is not ".foo.com". The longest that is found wins.
  const std::size_t size = authority.size();
  std::uint32_t best = kNone;
  Hash back;
  std::size_t fed = 0;
  for (const Wildcards& wildcards : suffixes_) {
    if (wildcards.length >= size) {
      break;
    }
    for (; fed < wildcards.length; ++fed) {
      back.feed(authority[size - 1 - fed]);
    }
    const std::uint32_t found = wildcards.names.find(authority.substr(size - fed), back.value());
    best = found == kNone ? best : found;
  }
  if (best != kNone) {
    return best;
  }
  Hash front;
  fed = 0;
  for (const Wildcards& wildcards : prefixes_) {
    if (wildcards.length >= size) {
      break;
    }
    for (; fed < wildcards.length; ++fed) {
      front.feed(authority[fed]);
    }
    const std::uint32_t found = wildcards.names.find(authority.substr(0, fed), front.value());
    best = found == kNone ? best : found;
  }
  return best == kNone ? default_ : best;
}

}  // namespace remora::routing
