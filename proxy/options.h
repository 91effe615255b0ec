// Options: the command line, with Envoy's flags and Envoy's meaning, so that what starts an Envoy starts a Remora.
// Pure values: parsing reads no file and prints nothing. Made by main; read-only afterwards; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace remora::proxy {

inline constexpr std::string_view kDefaultLogFormat = "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v";

struct Options {
  enum class Mode : std::uint8_t { serve, validate };

  std::string config_path;
  std::string config_yaml;
  Mode mode = Mode::serve;
  std::optional<unsigned> concurrency;  // unset: as many as the machine and the container give (concurrency.h)

  // The mesh: instead of a bootstrap of one's own (mesh_bootstrap.h).
  std::string mesh_path;             // a mesh file, or a folder of them
  std::vector<std::string> control;  // addresses of remora-control, in the order in which they are tried
  std::string service;               // whose sidecar this is
  std::string service_id;            // which of its instances; empty: the only one
  std::string consul;                // the agent's address, or a URL
  std::string consul_token_file;
  std::string consul_ca_file;
  std::string register_file;  // the service to register with that agent
  std::string admin;          // where the admin interface listens

  std::string log_level = "info";
  std::vector<std::pair<std::string, std::string>> component_log_levels;
  std::string log_format{kDefaultLogFormat};
  bool log_format_escaped = false;
  std::string log_path;

  std::string service_node;
  std::string service_cluster;
  std::string service_zone;

  std::string state_dir;  // ours: where the last good dynamic resources are kept; empty: nowhere

  Seconds min_drain_time{5};  // ours
  Seconds drain_time{25};     // Envoy: 600; Kubernetes kills after 30
  Seconds parent_shutdown_time{900};
  bool drain_immediate = false;  // of --drain-strategy
  std::string admin_address_path;

  // Hot restart, taken for Envoy's sake: a Remora never looks for another.
  std::uint32_t base_id = 0;
  std::string base_id_path;
  bool use_dynamic_base_id = false;
  bool disable_hot_restart = false;

  // Asks for a text instead of a proxy.
  std::string completion;  // of a shell
  bool help = false;
  bool version = false;
  bool hot_restart_version = false;
};

// `arguments` without the program's name. Errors name the flag, and the nearest one that exists.
Result<Options> parse_options(std::span<const std::string_view> arguments);

// One flag, for whoever explains them: its name, how its value is called (empty: it is a switch), and what it says
// (empty: it is taken for Envoy's sake, and without effect). In the order of --help.
struct FlagWords {
  std::string_view name;
  std::string_view value;
  std::string_view help;
};
std::span<const FlagWords> flag_words();

// Names that --log-level and /logging take ("warn" is "warning").
bool is_log_level(std::string_view name);

// Loggers that --component-log-level and /logging take.
std::span<const std::string_view> log_components();

}  // namespace remora::proxy
