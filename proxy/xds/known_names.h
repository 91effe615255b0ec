// What we support, and what Envoy has beside it: for "did you mean" and "is Envoy's, but not supported". Pure
// functions over tables; any thread.
#pragma once

#include <string_view>
#include <vector>

namespace remora::xds {

// Full names of the messages that a typed_config may hold, sorted; also for help text.
std::vector<std::string_view> supported_extensions();

// Whether official Envoy has this field, or enum value, in this message or enum (full names), and we do not.
bool is_envoys_member(std::string_view message_or_enum, std::string_view member);
// Whether official Envoy has this extension message, and we do not.
bool is_envoys_extension(std::string_view message);

}  // namespace remora::xds
