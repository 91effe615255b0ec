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

namespace hex_detail {
inline std::uint64_t load8(std::string_view text) {  // REQUIRES text.size() >= 8
  std::uint64_t word = 0;
  std::memcpy(&word, text.data(), sizeof(word));
  return word;
}
// All eight bytes at once: adding 0x80 - c to a byte below 0x80 sets its high bit if it is c or more.
inline bool eight_lower_hex(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x80 * kOnes;
  const auto at_least = [word](unsigned char c) { return word + (0x80u - c) * kOnes; };
  const std::uint64_t digit = at_least('0') & ~at_least('9' + 1);
  const std::uint64_t letter = at_least('a') & ~at_least('f' + 1);
  return (word & kHigh) == 0 && ((digit | letter) & kHigh) == kHigh;
}
}  // namespace hex_detail

inline bool is_lower_hex(std::string_view text) {
  while (text.size() >= 8) {
    if (!hex_detail::eight_lower_hex(hex_detail::load8(text))) {
      return false;
    }
    text.remove_prefix(8);
  }
  return std::all_of(text.begin(), text.end(), [](char c) { return is_lower_hex(c); });
}

inline bool is_all_zeros(std::string_view text) {
  while (text.size() >= 8) {
    if (hex_detail::load8(text) != 0x3030303030303030) {
      return false;
    }
    text.remove_prefix(8);
  }
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

inline unsigned hex_digit(char c) {  // REQUIRES is_lower_hex(c)
  return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
}

}  // namespace remora::proxy
