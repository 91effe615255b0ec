#include "control/server/resource_cache.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <utility>

#include "control/server/wire.h"

namespace remora::control {
namespace {

struct TypeWords {
  std::string_view url;
  std::string_view name;
};
constexpr std::array<TypeWords, kTypes> kWords = {{
    {"type.googleapis.com/envoy.config.cluster.v3.Cluster", "clusters"},
    {"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "endpoints"},
    {"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "secrets"},
    {"type.googleapis.com/envoy.config.listener.v3.Listener", "listeners"},
    {"type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "routes"},
}};

std::uint64_t mix(std::uint64_t x) {  // of splitmix64
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t version_of(const ResourceSet::ByName& by_name) {
  std::uint64_t version = 1;
  for (const auto& [name, resource] : by_name) {
    version = hash_of(name, version) ^ std::rotl(resource->hash, 1);
  }
  return version == 0 ? 1 : version;
}

}  // namespace

std::string_view type_url(Type type) { return kWords.at(static_cast<std::size_t>(type)).url; }
std::string_view type_name(Type type) { return kWords.at(static_cast<std::size_t>(type)).name; }

std::optional<Type> type_of_url(std::string_view url) {
  for (const Type type : kAllTypes) {
    if (type_url(type) == url) {
      return type;
    }
  }
  return {};
}

// Eight bytes a step; not for what an attacker may choose. The same on every machine that is little-endian.
std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t hash = mix(seed + 0x9e3779b97f4a7c15 + bytes.size());
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    hash = mix(hash ^ word) + 0x9e3779b97f4a7c15;
    bytes.remove_prefix(sizeof(word));
  }
  std::uint64_t rest = 0;
  if (!bytes.empty()) {
    std::memcpy(&rest, bytes.data(), bytes.size());
  }
  hash = mix(hash ^ rest);
  return hash == 0 ? 1 : hash;
}

std::string version_text(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

ResourceSet::ResourceSet(ByName by_name) : by_name_(std::move(by_name)), version_(version_of(by_name_)) {}

const Resource* ResourceSet::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

ResourcePtr ResourceSet::share(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

NodeResources::NodeResources() {
  static const auto kNone = std::make_shared<const ResourceSet>(ResourceSet::ByName());
  sets.fill(kNone);
}

ResourcePtr ResourcePool::share(Type type, std::string_view value, std::string endpoints_name) {
  const std::uint64_t hash = hash_of(value, hash_of(endpoints_name, static_cast<std::uint64_t>(type) + 1));
  auto& slot = pool_[hash];
  auto known = slot.lock();
  if (known != nullptr && std::string_view(known->any).ends_with(value) && known->endpoints_name == endpoints_name) {
    return known;
  }
  auto made = std::make_shared<Resource>();
  made->hash = hash;
  WireWriter(made->any).text(1, type_url(type)).text(2, value);
  made->any.shrink_to_fit();
  made->endpoints_name = std::move(endpoints_name);
  if (known == nullptr) {  // else two contents have one hash: each is served, as long as nobody gets both in turn
    slot = made;
  }
  return made;
}

void ResourcePool::forget_unused() {
  std::erase_if(pool_, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace remora::control
