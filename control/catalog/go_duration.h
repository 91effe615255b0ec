// Durations as Go, and so Consul, writes them: "1h15m30.5s", "250ms", "-1s". Pure functions; any thread.
// Source: Go's time.ParseDuration.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"

namespace remora::catalog {

// Nothing when it is no duration, or longer than 292 years.
std::optional<Nanoseconds> parse_go_duration(std::string_view text);

// "1h15m30.5s", as short as it can be; "0s".
std::string go_duration(Nanoseconds duration);

}  // namespace remora::catalog
