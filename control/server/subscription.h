// Subscription: what one stream wants of one type, what it was last sent, and so what it must be sent now. Knows no
// wire. Owned by an AdsStream; main thread. Source: Envoy's xds_protocol, "Wildcard subscriptions", "Deleting
// resources", "Knowing when a requested resource does not exist", "ACK/NACK and resource type instance version".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/server/resource_cache.h"
#include "core/base/time.h"

namespace remora::control {

class Subscription {
 public:
  using Names = std::set<std::string, std::less<>>;
  struct Item {
    std::string_view name;  // valid as long as the set is
    ResourcePtr resource;
    bool update = false;  // the client has another version
  };
  struct Diff {
    std::vector<Item> changed;
    std::vector<std::string> removed;  // the client has them, or asked for them, and they do not exist
    bool empty() const { return changed.empty() && removed.empty(); }
  };

  explicit Subscription(Type type) : type_(type) {}

  Type type() const { return type_; }
  bool wildcard() const { return wildcard_; }
  const Names& names() const { return names_; }
  bool wants(std::string_view name) const { return wildcard_ || names_.contains(name); }
  bool started() const { return started_; }

  // ---- delta: each name, or "*". The first call of a type that knows the old wildcard may be empty, which means "*".
  void subscribe(std::span<const std::string> names);
  void unsubscribe(std::span<const std::string> names);
  // What the client says it has, at a stream's beginning.
  void claim(std::string_view name, std::string_view version);

  // ---- state of the world: the whole list anew. True: it differs from the one before.
  bool replace(std::span<const std::string> names);
  // The client has exactly what is there now: nothing needs to be sent.
  void claim_all(const ResourceSet& set);

  // To be sent even if the client has it.
  void again(std::string_view name);
  void all_again();

  Diff diff(const ResourceSet& set) const;
  // Is an answer due even if there is nothing in it? A wildcard's first is.
  bool owes_answer() const { return owes_answer_; }

  // What was sent.
  void sent(std::string_view name, std::uint64_t hash);
  void told_missing(std::string_view name);  // also: that it was removed
  void answered() { owes_answer_ = false; }

  // Of what the client should have, once all is sent.
  std::uint64_t version(const ResourceSet& set) const;

  const std::map<std::string, std::uint64_t, std::less<>>& known() const { return known_; }
  std::size_t resources() const;

 private:
  bool may_be_wildcard() const { return type_ == Type::cluster || type_ == Type::listener; }
  void begin(bool empty);
  void forget_unwanted();

  const Type type_;
  bool started_ = false;
  bool wildcard_ = false;
  bool legacy_ = false;  // it is one because the first request named nothing
  bool owes_answer_ = false;
  Names names_;
  std::map<std::string, std::uint64_t, std::less<>> known_;  // name to hash; 0: it was told that there is none
  Names again_;
};

// What passed between us and the client about one type, for people: /nodes.
struct Exchanged {
  std::string nonce;      // of the last response
  std::string version;    // that it carried
  bool awaiting = false;  // its ACK or NACK
  std::uint64_t responses = 0;
  std::uint64_t acks = 0;
  std::uint64_t nacks = 0;
  std::string acked_version;
  WallTime acked_at{};
  std::string nacked_version;
  std::string nack_reason;
  WallTime nacked_at{};
  WallTime sent_at{};

  bool in_nack() const { return nacks > 0 && nacked_at >= acked_at && !awaiting; }
};

}  // namespace remora::control
