#include "control/source_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace remora::control {
namespace {

constexpr std::size_t kWidth = 110;  // of what is shown of a line

// Around the column, on the borders of characters.
std::size_t first_shown(const std::string& line, std::size_t column) {
  if (line.size() <= kWidth || column < kWidth * 3 / 4) {
    return 0;
  }
  std::size_t begin = column - kWidth / 2;
  while (begin < line.size() && (static_cast<unsigned char>(line[begin]) & 0xc0) == 0x80) {
    ++begin;
  }
  return begin;
}

std::size_t last_shown(const std::string& line, std::size_t begin) {
  std::size_t end = std::min(line.size(), begin + kWidth);
  while (end < line.size() && end > begin && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) {
    --end;
  }
  return end;
}

// A control character would move the terminal's cursor.
std::string printable(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

}  // namespace

const std::vector<std::string>& SourceLines::lines_of(const std::string& file) {
  const auto [found, fresh] = files_.try_emplace(file);
  if (fresh) {
    std::ifstream stream(file);
    for (std::string line; std::getline(stream, line);) {
      found->second.push_back(std::move(line));
    }
  }
  return found->second;
}

std::string SourceLines::excerpt(const std::string& file, int line, int column) {
  if (line <= 0 || column <= 0) {
    return {};
  }
  const auto& lines = lines_of(file);
  const auto index = static_cast<std::size_t>(line) - 1;
  const auto at = static_cast<std::size_t>(column) - 1;
  if (index >= lines.size() || at > lines[index].size()) {
    return {};
  }
  const std::string& text = lines[index];
  const std::size_t begin = first_shown(text, at);
  const std::size_t end = last_shown(text, begin);
  const std::string_view before = begin > 0 ? "…" : "";
  const std::string_view after = end < text.size() ? "…" : "";
  // The mark stands below its character, not below its bytes.
  const auto characters =
      std::count_if(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  const std::string number = fmt::format("{:>5}", line);
  return fmt::format(
      "{} | {}{}{}\n{} | {}^\n", number, before, printable(std::string_view(text).substr(begin, end - begin)), after,
      std::string(number.size(), ' '), std::string(static_cast<std::size_t>(characters) + (begin > 0 ? 1 : 0), ' '));
}

}  // namespace remora::control
