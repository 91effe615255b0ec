// Snapshot: all of a proxy's configuration, consistent and immutable. Each worker holds one, each Exchange pins one at
// birth; a new one replaces it whole. Built by proxy/xds; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/model/cluster.h"
#include "proxy/model/listener.h"

namespace remora::model {

struct Node {
  std::string id;
  std::string cluster;
  std::string zone;
};

struct Admin {
  Address address;
  std::string access_log_path;
};

struct Snapshot {
  std::uint64_t version = 0;
  Node node;
  std::optional<Admin> admin;
  std::vector<std::shared_ptr<const Listener>> listeners;
  std::unordered_map<std::string, std::shared_ptr<const Cluster>> clusters;
  std::vector<std::string> cluster_order;  // as the file lists them
  // The bootstrap as canonical proto JSON, for /config_dump.
  std::shared_ptr<const std::string> bootstrap_json;
};

}  // namespace remora::model
