// DomainTable: which virtual host an authority belongs to, as Envoy looks it up: exact name, longest "*suffix", longest
// "prefix*", then "*". Names compare without case and with their port. Part of a RouteTable; immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace remora::routing {

class DomainTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // Domains must outlive the table. Of two equal domains the first one wins (the loader refuses such files).
  void add(std::string_view domain, std::uint32_t virtual_host);
  std::uint32_t find(std::string_view authority) const;

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::string_view text;
    std::uint32_t virtual_host = kNone;
  };

  // Open addressing, at most half full.
  class Names {
   public:
    void add(std::string_view text, std::uint64_t hash, std::uint32_t virtual_host);
    std::uint32_t find(std::string_view text, std::uint64_t hash) const;
    bool empty() const { return used_ == 0; }

   private:
    void insert(const Entry& entry);
    std::vector<Entry> slots_;
    std::size_t used_ = 0;
  };

  struct Wildcards {
    std::size_t length = 0;  // without the star
    Names names;
  };

  static Names& of_length(std::vector<Wildcards>& all, std::size_t length);

  Names exact_;
  std::vector<Wildcards> suffixes_;  // shortest first
  std::vector<Wildcards> prefixes_;  // shortest first
  std::uint32_t default_ = kNone;
  bool only_default_ = true;
};

}  // namespace remora::routing
