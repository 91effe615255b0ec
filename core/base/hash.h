// Hashes that several programs must agree on: the same bytes give the same number in every proxy and in Envoy, so that
// consistent hashing sends a key to the same place everywhere. Not for secrets, not against an adversary. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace remora {

// XXH64.
std::uint64_t xx_hash64(std::string_view text, std::uint64_t seed = 0);
// MurmurHash64A with the seed of libstdc++'s std::hash, as Envoy's MURMUR_HASH_2.
std::uint64_t murmur_hash2(std::string_view text);

}  // namespace remora
