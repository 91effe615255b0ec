// ConfigSource: where resources of one type come from, as envoy.config.core.v3.ConfigSource says it: the aggregated
// stream, a stream of their own, REST, or a file. Sources that are equal share one stream. A value; main thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.h"

namespace remora::xds {

struct ConfigSource {
  enum class Kind : std::uint8_t { none, ads, grpc, delta_grpc, rest, path };

  Kind kind = Kind::none;
  std::vector<std::string> clusters;  // of the bootstrap; grpc and rest: whom to ask, the first one first
  std::string authority;
  std::vector<std::pair<std::string, std::string>> initial_metadata;
  bool node_on_first_message_only = false;
  Milliseconds refresh_delay{0};               // rest
  Milliseconds request_timeout{1000};          // rest
  std::string path;                            // path: a file that holds a DiscoveryResponse
  std::string watched_directory;               // empty: the file's own
  Milliseconds initial_fetch_timeout{15'000};  // 0: none

  friend auto operator<=>(const ConfigSource&, const ConfigSource&) = default;
};

std::string_view kind_name(ConfigSource::Kind kind);

}  // namespace remora::xds
