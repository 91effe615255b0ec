// Hex: numbers as lower-case hexadecimal digits, and the test for them. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace remora::proxy {

namespace hex_detail {
consteval auto make_pairs() {
  std::array<char, 512> pairs{};
  constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 256; ++i) {
    pairs[i * 2] = kDigits[i >> 4];
    pairs[i * 2 + 1] = kDigits[i & 15];
  }
  return pairs;
}
inline constexpr auto kPairs = make_pairs();
}  // namespace hex_detail

// Writes the lowest `bytes` bytes of `value`, two digits each; returns the end.
inline char* write_hex(char* at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) {
    std::memcpy(at, &hex_detail::kPairs[((value >> (i * 8)) & 0xff) * 2], 2);
    at += 2;
  }
  return at;
}

inline bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
inline bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_lower_hex(c); });
}
inline bool is_all_zeros(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

inline unsigned hex_digit(char c) {  // REQUIRES is_lower_hex(c)
  return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
}

}  // namespace remora::proxy
