// The rows of field tables, made from pointers to members, and how a value of each type is read. See reading.h.
// Pure functions over a Reading; main thread.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "control/catalog/common.h"
#include "control/catalog/reading.h"

namespace remora::catalog {

// --- values of plain types -------------------------------------------------------------------------------------------
void read_value(const At& at, std::string& into, const Limits& limits);
void read_value(const At& at, bool& into, const Limits& limits);
void read_value(const At& at, double& into, const Limits& limits);
void read_value(const At& at, Nanoseconds& into, const Limits& limits);
// Whole numbers of every width.
bool read_whole(const At& at, std::int64_t least, std::int64_t most, std::int64_t& into);

template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
void read_value(const At& at, T& into, const Limits& limits) {
  constexpr auto kMost = static_cast<std::int64_t>(
      std::min<std::uint64_t>(std::numeric_limits<T>::max(), std::numeric_limits<std::int64_t>::max()));
  std::int64_t value = 0;
  if (read_whole(at, limits.least, std::min(limits.most, kMost), value)) {
    into = static_cast<T>(value);
  }
}

// A word of a closed list: `words_of(T())`, found beside the enum's reader, is a span of pairs of word and value.
template <typename T>
using Words = std::span<const std::pair<std::string_view, T>>;

// The index of the word; a report and nothing when it is none of them.
std::optional<std::size_t> read_word(const At& at, std::span<const std::string_view> words);

template <typename T>
  requires std::is_enum_v<T>
void read_value(const At& at, T& into, const Limits&) {
  const Words<T> words = words_of(T());
  std::vector<std::string_view> names;
  for (const auto& [name, value] : words) {
    names.push_back(name);
  }
  if (const auto index = read_word(at, names)) {
    into = words[*index].second;
  }
}

// --- lists, mappings, what may be missing ----------------------------------------------------------------------------
bool is_list(const At& at);     // reports when it is not
bool is_mapping(const At& at);  // reports when it is not

template <typename T>
void read_value(const At& at, std::optional<T>& into, const Limits& limits) {
  if constexpr (std::is_class_v<T> && !std::same_as<T, Nanoseconds>) {
    if (at.from_consul() && says_nothing(at.node())) {
      return;
    }
  }
  T value{};
  read_value(at, value, limits);
  into = std::move(value);
}

template <typename T>
void read_value(const At& at, std::vector<T>& into, const Limits& limits) {
  if (!is_list(at)) {
    return;
  }
  into.reserve(at.node().items.size());
  for (std::size_t i = 0; i < at.node().items.size(); ++i) {
    read_value(at.item(i, *at.node().items[i]), into.emplace_back(), limits);
  }
}

template <typename T>
void read_value(const At& at, std::map<std::string, T, std::less<>>& into, const Limits& limits) {
  if (!is_mapping(at)) {
    return;
  }
  for (const auto& [key, value] : at.node().map) {
    read_value(at.field(key->text, *value), into[key->text], limits);
  }
}

// --- rows ------------------------------------------------------------------------------------------------------------
template <typename T>
struct MemberOf;
template <typename Owner, typename Type>
struct MemberOf<Type Owner::*> {
  using Class = Owner;
};

template <auto Member>
constexpr FieldRow row(std::string_view name, Limits limits = {}, std::string_view alias = {}) {
  return {name,
          [](const At& at, void* into, const Limits& within) {
            using Owner = typename MemberOf<decltype(Member)>::Class;
            read_value(at, static_cast<Owner*>(into)->*Member, within);
          },
          limits,
          {},
          alias};
}

// A row with a reader of its own: void reader(const At&, Owner&).
template <typename Owner, void (*Reader)(const At&, Owner&)>
constexpr FieldRow custom(std::string_view name, std::string_view alias = {}) {
  return {name, [](const At& at, void* into, const Limits&) { Reader(at, *static_cast<Owner*>(into)); }, {}, {}, alias};
}

// A number of milliseconds in a key that ends with _ms. Zero or less is Consul's "not set".
void read_milliseconds(const At& at, std::optional<Nanoseconds>& into, bool zero_is_unset);

template <auto Member>
constexpr FieldRow milliseconds(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits&) {
            using Owner = typename MemberOf<decltype(Member)>::Class;
            read_milliseconds(at, static_cast<Owner*>(into)->*Member, true);
          }};
}

// A duration; zero is Consul's "not set". `allow_negative` where that has a meaning.
constexpr Limits kNotNegative{0, std::numeric_limits<std::int64_t>::max()};
constexpr Limits kAnySign{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};

void read_duration(const At& at, std::optional<Nanoseconds>& into, const Limits& limits);

template <auto Member>
constexpr FieldRow duration(std::string_view name, Limits limits = kNotNegative) {
  return {name,
          [](const At& at, void* into, const Limits& within) {
            using Owner = typename MemberOf<decltype(Member)>::Class;
            read_duration(at, static_cast<Owner*>(into)->*Member, within);
          },
          limits};
}

// A whole number whose zero is Consul's "not set".
template <auto Member>
constexpr FieldRow nonzero(std::string_view name, std::int64_t most = std::numeric_limits<std::uint32_t>::max()) {
  return {name,
          [](const At& at, void* into, const Limits& within) {
            using Owner = typename MemberOf<decltype(Member)>::Class;
            auto& member = static_cast<Owner*>(into)->*Member;
            read_value(at, member, within);
            if (member && *member == 0) {
              member.reset();
            }
          },
          {0, most}};
}

constexpr FieldRow ignored(std::string_view name) { return {name}; }
constexpr FieldRow refused(std::string_view name, std::string_view why) { return {name, nullptr, {}, why}; }

constexpr FieldRow tolerated(std::string_view name, std::string_view why) { return {name, nullptr, {}, why, {}, true}; }

// Reads a mapping, and notes its place where the value has one.
template <typename T, std::size_t N>
void read_mapping(const At& at, T& into, const std::array<FieldRow, N>& rows) {
  if constexpr (requires { into.place = at.place(); }) {
    into.place = at.place();
  }
  read_rows(at, rows, &into);
}

// What nobody may write, since Remora has no such thing: see docs/mesh_file.md.
inline constexpr std::string_view kNoNamespaces = "namespaces are not supported: Remora's mesh is one namespace";
inline constexpr std::string_view kNoPartitions = "admin partitions are not supported: Remora's mesh is one partition";
inline constexpr std::string_view kNoPeers =
    "cluster peers are not supported: write `datacenter` for a service elsewhere";
inline constexpr std::string_view kNoSameness =
    "sameness groups are not supported: list the `targets` of a failover instead";
// Of `config`, under Envoy's names: what no proxy does yet.
inline constexpr std::string_view kNoHedging = "hedged requests are not supported by this version of Remora";
inline constexpr std::string_view kNoRateLimit = "a global rate limit is not supported by this version of Remora";
inline constexpr std::string_view kNoAdaptive =
    "adaptive concurrency is not supported by this version of Remora: `limits` of an upstream, and `breaker`, are";
inline constexpr std::string_view kNoEnvoyJson =
    "Envoy's JSON escape hatches are not supported: what Remora can do has a key of its own (docs/mesh_file.md)";
inline constexpr std::string_view kNoEnvoyExtensions =
    "Envoy extensions are not supported: docs/mesh_file.md has the keys for fault, mirroring, retries and breaker";

}  // namespace remora::catalog
