#include "core/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstring>

namespace remora {
namespace {

std::uint64_t load(const char* at, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, size);
  return value;
}

}  // namespace

std::uint64_t xx_hash64(std::string_view text, std::uint64_t seed) { return XXH64(text.data(), text.size(), seed); }

// Austin Appleby's MurmurHash2, 64-bit version A (public domain), as published but for the last mix of libstdc++.
std::uint64_t murmur_hash2(std::string_view text) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kMultiplier = (std::uint64_t{0xc6a4a793} << 32) + 0x5bd1e995;
  constexpr std::uint64_t kSeed = 0xc70f6907;
  const auto mix = [](std::uint64_t value) { return value ^ (value >> 47); };

  std::uint64_t hash = kSeed ^ (text.size() * kMultiplier);
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    hash ^= mix(load(text.data() + at, 8) * kMultiplier) * kMultiplier;
    hash *= kMultiplier;
  }
  if (at < text.size()) {
    hash ^= load(text.data() + at, text.size() - at);
    hash *= kMultiplier;
  }
  hash = mix(hash) * kMultiplier;
  return mix(hash);
}

}  // namespace remora
