// mesh_bootstrap: the bootstrap that --mesh or --control stands for, as text for load_bootstrap: a proxy has one way
// in, and what the flags mean can be read (and run by Envoy). Pure; main thread, at start. Source:
// envoy.config.bootstrap.v3.Bootstrap.
#pragma once

#include <string>

#include "proxy/options.h"

namespace remora::proxy {

inline constexpr std::string_view kControlCluster = "remora-control";
inline constexpr std::string_view kDefaultMeshAdmin = "127.0.0.1:15000";

// REQUIRES: parse_options took them, with --mesh or --control.
std::string mesh_bootstrap(const Options& options);

}  // namespace remora::proxy
