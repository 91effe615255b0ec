// Start time: %START_TIME(...)% and its kin, Envoy's blend of strftime and its own sub-second specifiers. Values only;
// any thread.
#pragma once

#include <span>
#include <string_view>

#include "core/base/time.h"

namespace remora::proxy {

// Writes `time`, in UTC, as `format` says; an empty one means "2026-01-31T12:00:00.123Z". Beyond strftime: %s seconds
// of the epoch, %1s to %9s and %f, %1f to %9f as Envoy has them, %E1S … %E9S seconds with a fraction, %E*S with nine
// digits at most. What does not fit is cut off.
std::string_view format_time(WallTime time, std::string_view format, std::span<char> out);

}  // namespace remora::proxy
