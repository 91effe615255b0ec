// Response flags: why a response is what it is, in Envoy's words, as bits. Source: Envoy StreamInfo::CoreResponseFlag
// and the access log's %RESPONSE_FLAGS%. Values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace remora::proxy {

using ResponseFlags = std::uint32_t;

namespace flag {
constexpr ResponseFlags kNoHealthyUpstream = 1u << 0;                // UH
constexpr ResponseFlags kUpstreamConnectionFailure = 1u << 1;        // UF
constexpr ResponseFlags kUpstreamOverflow = 1u << 2;                 // UO
constexpr ResponseFlags kNoRouteFound = 1u << 3;                     // NR
constexpr ResponseFlags kUpstreamRetryLimitExceeded = 1u << 4;       // URX
constexpr ResponseFlags kNoClusterFound = 1u << 5;                   // NC
constexpr ResponseFlags kDurationTimeout = 1u << 6;                  // DT
constexpr ResponseFlags kDownstreamConnectionTermination = 1u << 7;  // DC
constexpr ResponseFlags kLocalReset = 1u << 8;                       // LR
constexpr ResponseFlags kUpstreamRemoteReset = 1u << 9;              // UR
constexpr ResponseFlags kUpstreamConnectionTermination = 1u << 10;   // UC
constexpr ResponseFlags kUpstreamRequestTimeout = 1u << 11;          // UT
constexpr ResponseFlags kStreamIdleTimeout = 1u << 12;               // SI
constexpr ResponseFlags kDownstreamProtocolError = 1u << 13;         // DPE
constexpr ResponseFlags kUpstreamProtocolError = 1u << 14;           // UPE
constexpr ResponseFlags kOverloadManager = 1u << 15;                 // OM
}  // namespace flag

struct FlagName {
  ResponseFlags bit;
  std::string_view short_name;
  std::string_view long_name;
};

inline constexpr std::array<FlagName, 16> kFlagNames = {{
    {flag::kNoHealthyUpstream, "UH", "NoHealthyUpstream"},
    {flag::kUpstreamConnectionFailure, "UF", "UpstreamConnectionFailure"},
    {flag::kUpstreamOverflow, "UO", "UpstreamOverflow"},
    {flag::kNoRouteFound, "NR", "NoRouteFound"},
    {flag::kUpstreamRetryLimitExceeded, "URX", "UpstreamRetryLimitExceeded"},
    {flag::kNoClusterFound, "NC", "NoClusterFound"},
    {flag::kDurationTimeout, "DT", "DurationTimeout"},
    {flag::kDownstreamConnectionTermination, "DC", "DownstreamConnectionTermination"},
    {flag::kLocalReset, "LR", "LocalReset"},
    {flag::kUpstreamRemoteReset, "UR", "UpstreamRemoteReset"},
    {flag::kUpstreamConnectionTermination, "UC", "UpstreamConnectionTermination"},
    {flag::kUpstreamRequestTimeout, "UT", "UpstreamRequestTimeout"},
    {flag::kStreamIdleTimeout, "SI", "StreamIdleTimeout"},
    {flag::kDownstreamProtocolError, "DPE", "DownstreamProtocolError"},
    {flag::kUpstreamProtocolError, "UPE", "UpstreamProtocolError"},
    {flag::kOverloadManager, "OM", "OverloadManager"},
}};

// "UF,URX", or "-" when none is set.
inline std::string flags_text(ResponseFlags flags, bool long_names = false) {
  std::string text;
  for (const FlagName& name : kFlagNames) {
    if ((flags & name.bit) != 0) {
      if (!text.empty()) {
        text += ',';
      }
      text += long_names ? name.long_name : name.short_name;
    }
  }
  return text.empty() ? "-" : text;
}

}  // namespace remora::proxy
