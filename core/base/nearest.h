// nearest: "did you mean ...?" for words that people mistype. A pure function; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace remora {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, case aside; empty when none is near enough to be what was meant.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// " (did you mean 'x'?)", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace remora
