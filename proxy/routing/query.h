// Query parameters of a request's path, as routing reads them: not decoded, as in Envoy. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

namespace remora::routing {

// The value of the first parameter of that name; empty when it has none.
std::optional<std::string_view> query_value(std::string_view path, std::string_view name);

}  // namespace remora::routing
