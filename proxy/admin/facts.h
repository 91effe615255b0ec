// What admin pages show and what they may do: a read model, filled by the sidecar at each request from atomics and from
// the snapshot, so that no page ever waits for a worker. Implemented by Sidecar; main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "proxy/model/snapshot.h"

namespace remora::admin {

struct EndpointFacts {
  Address address;
  std::string hostname;
  std::uint32_t weight = 1;
  std::uint32_t priority = 0;
  model::Endpoint::Health configured = model::Endpoint::Health::unknown;

  bool failed_outlier_check = false;  // ejected now
  bool failed_active_hc = false;
  double success_rate = -1;  // of outlier detection's last interval, per cent; -1: unknown
  double local_success_rate = -1;

  std::uint64_t cx_active = 0;
  std::uint64_t cx_connect_fail = 0;
  std::uint64_t cx_total = 0;
  std::uint64_t rq_active = 0;
  std::uint64_t rq_error = 0;
  std::uint64_t rq_pending_active = 0;
  std::uint64_t rq_success = 0;
  std::uint64_t rq_timeout = 0;
  std::uint64_t rq_total = 0;
};

// How a cluster's endpoints are found, and how that goes.
struct DiscoveryFacts {
  std::string_view source;           // consul, dns
  Nanoseconds age{0};                // since the source last confirmed them
  std::string failing;               // what is wrong with the source now; empty: nothing
  bool holding = false;              // an answer without any instance is not believed yet
  std::vector<std::string> skipped;  // instances that cannot be called, and why
};

struct ClusterFacts {
  std::string name;
  std::string observability_name;
  bool added_via_api = false;
  model::Thresholds thresholds;
  bool outlier_detection = false;
  double success_rate_average = -1;
  double success_rate_threshold = -1;
  double local_success_rate_average = -1;
  double local_success_rate_threshold = -1;
  std::string_view breaker;                 // closed, open, half_open; empty: it has none
  std::optional<DiscoveryFacts> discovery;  // none: they stand in the configuration
  std::vector<EndpointFacts> endpoints;
};

struct ListenerFacts {
  std::string name;
  Address address;
  bool intentions_not_enforced = false;
};

struct ServerFacts {
  std::string_view state;  // LIVE, DRAINING, PRE_INITIALIZING
  bool ready = false;
  Seconds uptime{0};
  std::string version;               // the long one, as --version prints it
  std::string hot_restart_version;   // "disabled"
  std::string command_line_options;  // JSON, an object
  model::Node node;
  unsigned workers = 0;
  std::uint64_t connections = 0;
  std::uint64_t requests = 0;
};

// One dynamic resource: its last good version, and how the last one failed.
struct DynamicResourceFacts {
  struct Failure {
    std::string reason;
    std::string version;
    WallTime at;
  };
  std::string name;
  std::string version;
  WallTime updated;
  std::string json;  // empty: there is no good version
  bool serving = false;
  std::string waits_for;  // "cluster 'b'"
  std::optional<Failure> failure;
};

struct DynamicFacts {
  std::string clusters_version;
  std::string listeners_version;
  std::vector<DynamicResourceFacts> clusters;
  std::vector<DynamicResourceFacts> endpoints;
  std::vector<DynamicResourceFacts> listeners;
  std::vector<DynamicResourceFacts> routes;
};

class Facts {
 public:
  virtual ServerFacts server() const = 0;
  virtual std::vector<ClusterFacts> clusters() const = 0;
  virtual std::vector<ListenerFacts> listeners() const = 0;
  // Null until the configuration is loaded.
  virtual std::shared_ptr<const model::Snapshot> snapshot() const = 0;
  virtual WallTime snapshot_loaded() const = 0;
  // What came while it runs.
  virtual DynamicFacts dynamic() const { return {}; }
  virtual std::string metrics() const = 0;
  // Logger and level, sorted.
  virtual std::vector<std::pair<std::string, std::string>> loggers() const = 0;

 protected:
  ~Facts() = default;
};

struct DrainListeners {
  bool graceful = false;      // answers say close first
  bool never_stop = false;    // and that is all
  bool inbound_only = false;  // of listeners with traffic_direction INBOUND
};

class Actions {
 public:
  // Called when the answer that announces it has been written.
  virtual void quit() = 0;
  virtual void drain_listeners(const DrainListeners& how) = 0;
  virtual void set_health_check_failed(bool failed) = 0;
  // An empty logger: all of them. REQUIRES: `loggers` and `levels` have them.
  virtual void set_log_level(std::string_view logger, std::string_view level) = 0;
  virtual Result<void> reopen_logs() = 0;

 protected:
  ~Actions() = default;
};

}  // namespace remora::admin
