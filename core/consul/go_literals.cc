#include "core/consul/go_literals.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace remora::consul {
namespace {

void append_utf8(std::string& out, std::uint32_t rune) {
  if (rune < 0x80) {
    out += static_cast<char>(rune);
  } else if (rune < 0x800) {
    out += static_cast<char>(0xc0 | (rune >> 6));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    out += static_cast<char>(0xe0 | (rune >> 12));
    out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (rune >> 18));
    out += static_cast<char>(0x80 | ((rune >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  }
}

// All of `digits` in that base; nullopt: not only digits.
std::optional<std::uint32_t> number(std::string_view digits, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<char> simple_escape(char letter) {
  constexpr std::array<std::pair<char, char>, 9> kEscapes = {{{'a', '\a'},
                                                              {'b', '\b'},
                                                              {'f', '\f'},
                                                              {'n', '\n'},
                                                              {'r', '\r'},
                                                              {'t', '\t'},
                                                              {'v', '\v'},
                                                              {'\\', '\\'},
                                                              {'"', '"'}}};
  for (const auto& [from, to] : kEscapes) {
    if (from == letter) {
      return to;
    }
  }
  return std::nullopt;
}

// `rest` begins behind the backslash. How many bytes it used; 0: no escape of Go's.
std::size_t append_escape(std::string& out, std::string_view rest) {
  if (const auto simple = simple_escape(rest.front())) {
    out += *simple;
    return 1;
  }
  const char kind = rest.front();
  const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : kind >= '0' && kind <= '7' ? 3 : 0;
  const std::size_t skip = digits == 3 ? 0 : 1;
  if (digits == 0 || rest.size() < skip + digits) {
    return 0;
  }
  const auto value = number(rest.substr(skip, digits), digits == 3 ? 8 : 16);
  if (!value) {
    return 0;
  }
  if (digits <= 3) {
    if (*value > 255) {
      return 0;
    }
    out += static_cast<char>(*value);
  } else {
    if (*value > 0x10ffff || (*value >= 0xd800 && *value < 0xe000)) {
      return 0;
    }
    append_utf8(out, *value);
  }
  return skip + digits;
}

}  // namespace

std::optional<std::string> go_unquote(char quote, std::string_view inside) {
  std::string out;
  if (quote == '`') {
    std::ranges::copy_if(inside, std::back_inserter(out), [](char c) { return c != '\r'; });
    return out;
  }
  while (!inside.empty()) {
    if (inside.front() == '\n') {
      return std::nullopt;
    }
    if (inside.front() != '\\') {
      out += inside.front();
      inside.remove_prefix(1);
      continue;
    }
    inside.remove_prefix(1);
    const std::size_t used = inside.empty() ? 0 : append_escape(out, inside);
    if (used == 0) {
      return std::nullopt;
    }
    inside.remove_prefix(used);
  }
  return out;
}

std::optional<std::int64_t> go_parse_int(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 1 && text.front() == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
    text.remove_prefix(letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1);
  }
  if (text.starts_with('-')) {  // from_chars takes a sign of its own
    return std::nullopt;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  const std::uint64_t most = negative ? 1ULL << 63 : (1ULL << 63) - 1;
  if (error != std::errc{} || end != text.data() + text.size() || value > most) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(negative ? 0 - value : value);
}

std::optional<bool> go_parse_bool(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::ranges::find(kTrue, text) != kTrue.end()) {
    return true;
  }
  if (std::ranges::find(kFalse, text) != kFalse.end()) {
    return false;
  }
  return std::nullopt;
}

}  // namespace remora::consul
