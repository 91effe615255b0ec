// normalize_path, merge_slashes: a path in one spelling, before routes look at it. The query stays as it is. Stateless.
// Source: Envoy's PathUtil (RFC 3986 section 6.2.2: unreserved characters decoded, dot segments resolved; backslashes
// become slashes, as browsers do).
#pragma once

#include <optional>
#include <string_view>

#include "core/base/arena.h"

namespace remora::proxy {

// nullopt: the path cannot be normalized (a NUL in it, or no leading slash): answer 400. Unchanged paths are not
// copied.
std::optional<std::string_view> normalize_path(std::string_view path, Arena& arena);
std::string_view merge_slashes(std::string_view path, Arena& arena);

}  // namespace remora::proxy
