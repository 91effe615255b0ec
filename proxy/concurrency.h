// How many workers a machine, and the container that we run in, give. Reads /proc and /sys once, at start; main.
#pragma once

#include <optional>
#include <string>

namespace remora::proxy {

// CPUs that the cgroup's quota allows, the tightest of all levels; empty: no limit. `root` is where /proc and /sys are
// looked for: empty but in tests.
std::optional<double> cgroup_cpus(const std::string& root = {});

// The quota rounded down, since workers that share less than a core each only throttle one another; never below 1,
// never above the CPUs that the affinity mask has.
unsigned default_concurrency(const std::string& root = {});

}  // namespace remora::proxy
