// What several of Consul's structures share: header changes, mesh gateways, exposed paths, Meta. Values; any thread.
// What was not written stays empty (nullopt, "", 0 where Consul's zero means "default"): defaults belong to
// control/translate, which merges several places. Source: Consul's
// agent/structs/{config_entry,connect_proxy_config}.go.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/catalog/place.h"
#include "core/base/time.h"

namespace remora::catalog {

using TextMap = std::map<std::string, std::string, std::less<>>;

// HTTPHeaderModifiers. Values may hold Envoy's %COMMANDS%.
struct HeaderChanges {
  TextMap add;
  TextMap set;
  std::vector<std::string> remove;

  bool empty() const { return add.empty() && set.empty() && remove.empty(); }
  bool operator==(const HeaderChanges&) const = default;
};

enum class MeshGatewayMode : std::uint8_t { unset, none, local, remote };

struct ExposePath {
  Place place;
  std::string path;
  std::uint16_t local_path_port = 0;
  std::uint16_t listener_port = 0;
  std::string protocol = "http";  // http, http2

  bool operator==(const ExposePath&) const = default;
};

struct Expose {
  bool checks = false;
  std::vector<ExposePath> paths;

  bool operator==(const Expose&) const = default;
};

enum class ProxyMode : std::uint8_t { unset, direct, transparent };

struct TransparentProxy {
  std::uint16_t outbound_listener_port = 15001;
  bool dialed_directly = false;

  bool operator==(const TransparentProxy&) const = default;
};

// What every config entry has.
struct EntryHead {
  Place place;
  std::string name;  // of the service; of the destination (intentions); "global" (proxy-defaults)
  TextMap meta;

  bool operator==(const EntryHead&) const = default;
};

}  // namespace remora::catalog
