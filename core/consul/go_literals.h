// Go's own readings of literals, which Consul's filters inherit. Pure functions; any thread.
// Sources: Go's strconv.Unquote, strconv.ParseInt with base 0, strconv.ParseBool.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace remora::consul {

// What stands between the quotes of "..." (escapes) or `...` (raw, carriage returns dropped), as text; nullopt: Go
// refuses it.
std::optional<std::string> go_unquote(char quote, std::string_view inside);
std::optional<std::int64_t> go_parse_int(std::string_view text);
std::optional<bool> go_parse_bool(std::string_view text);

}  // namespace remora::consul
