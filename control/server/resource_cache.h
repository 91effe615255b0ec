// What a control plane serves: resources, each serialised once and shared by every node that gets it, as immutable sets
// of one type, as all that one node gets; and ResourceProvider, the seam to whoever makes them. Versions are hashes of
// content: any number of control processes say the same ones. Main thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "control/server/node.h"

namespace remora::control {

// In the order in which they are pushed: what is referred to comes first. Source: Envoy's xds_protocol, "Eventual
// consistency considerations".
enum class Type : std::uint8_t { cluster, endpoint, secret, listener, route, count_ };
constexpr std::size_t kTypes = static_cast<std::size_t>(Type::count_);
constexpr std::array<Type, kTypes> kAllTypes = {Type::cluster, Type::endpoint, Type::secret, Type::listener,
                                                Type::route};

std::string_view type_url(Type type);   // "type.googleapis.com/envoy.config.cluster.v3.Cluster"
std::string_view type_name(Type type);  // "clusters"
std::optional<Type> type_of_url(std::string_view url);

// Never 0: that stands for "there is none".
std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed = 0);
// 16 hexadecimal digits.
std::string version_text(std::uint64_t hash);

struct Resource {
  std::uint64_t hash = 0;  // of type and bytes
  std::string any;         // google.protobuf.Any, serialised
  // A cluster's: the name by which its endpoints are asked for, by EDS; empty: they are not.
  std::string endpoints_name;
};
using ResourcePtr = std::shared_ptr<const Resource>;

// All resources of one type that one node (or many) gets.
class ResourceSet {
 public:
  using ByName = std::map<std::string, ResourcePtr, std::less<>>;

  explicit ResourceSet(ByName by_name);
  const ByName& all() const { return by_name_; }
  const Resource* find(std::string_view name) const;
  ResourcePtr share(std::string_view name) const;
  std::uint64_t version() const { return version_; }  // of names and contents; equal sets have equal ones

 private:
  const ByName by_name_;
  const std::uint64_t version_;
};
using ResourceSetPtr = std::shared_ptr<const ResourceSet>;

struct NodeResources {
  std::array<ResourceSetPtr, kTypes> sets;  // none is null
  // Why the node gets less than it may expect ("no service 'wbe' in the mesh"), for people; empty: nothing is wrong.
  std::string problem;
  bool withheld = false;  // not sent to a node that comes back with something: it keeps that

  NodeResources();
  const ResourceSetPtr& of(Type type) const { return sets.at(static_cast<std::size_t>(type)); }
  ResourceSetPtr& of(Type type) { return sets.at(static_cast<std::size_t>(type)); }
};
using NodeResourcesPtr = std::shared_ptr<const NodeResources>;

// Gives equal resources one copy, as long as anyone holds it.
class ResourcePool {
 public:
  // `value`: the serialised message of this type.
  ResourcePtr share(Type type, std::string_view value, std::string endpoints_name = {});
  std::size_t size() const { return pool_.size(); }
  void forget_unused();

 private:
  std::unordered_map<std::uint64_t, std::weak_ptr<const Resource>> pool_;
};

// Implemented over catalog and translation; by a fake in tests.
class ResourceProvider {
 public:
  virtual ~ResourceProvider() = default;
  // Null: not known yet, the node waits. The same pointer, or the same sets in it, when nothing changed: comparing them
  // is how the server knows.
  virtual NodeResourcesPtr resources_for(const Node& node) = 0;
  // `changed` is called, on the main thread and from no call of ours, when any node's resources may be other ones.
  virtual void on_change(std::function<void()> changed) = 0;
  // Whether there is anything to serve yet; until then /ready says no, and streams wait.
  virtual bool ready() const { return true; }
  // How often somebody's resources were made anew, ever.
  virtual std::uint64_t translations() const { return 0; }
  // What people must know of what is served, on every page; empty: nothing.
  virtual std::string notice() const { return {}; }
};

}  // namespace remora::control
