#include "proxy/concurrency.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace remora::proxy {
namespace {

// Files of /proc and /sys are short; a missing one is empty.
std::string read_small(const std::string& path) {
  std::string out;
  if (std::FILE* file = std::fopen(path.c_str(), "re"); file != nullptr) {
    char buffer[4096];
    std::size_t got = 0;
    while ((got = std::fread(buffer, 1, sizeof(buffer), file)) > 0) {
      out.append(buffer, got);
    }
    std::fclose(file);
  }
  return out;
}

std::optional<double> parse(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// "max 100000" or "150000 100000"
std::optional<double> quota_v2(const std::string& text) {
  const std::size_t space = text.find(' ');
  if (space == std::string::npos) {
    return std::nullopt;
  }
  const auto quota = parse(std::string_view(text).substr(0, space));
  const auto period = parse(std::string_view(text).substr(space + 1));
  return quota && period && *quota > 0 && *period > 0 ? std::optional(*quota / *period) : std::nullopt;
}

std::optional<double> quota_v1(const std::string& folder) {
  const auto quota = parse(read_small(folder + "/cpu.cfs_quota_us"));
  const auto period = parse(read_small(folder + "/cpu.cfs_period_us"));
  return quota && period && *quota > 0 && *period > 0 ? std::optional(*quota / *period) : std::nullopt;
}

void tighten(std::optional<double>& limit, std::optional<double> other) {
  if (other && (!limit || *other < *limit)) {
    limit = other;
  }
}

}  // namespace

std::optional<double> cgroup_cpus(const std::string& root) {
  std::optional<double> limit;
  const std::string groups = read_small(root + "/proc/self/cgroup");
  std::string_view rest = groups;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) {
      continue;
    }
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    const std::string with_ends = "," + std::string(controllers) + ",";
    if (!v2 && with_ends.find(",cpu,") == std::string::npos) {
      continue;
    }
    // A limit may stand at any level above us; what is mounted may begin at our own group.
    std::string path(line.substr(second + 1));
    const std::string mount = root + (v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu");
    while (true) {
      const std::string folder = mount + (path == "/" ? "" : path);
      tighten(limit, v2 ? quota_v2(read_small(folder + "/cpu.max")) : quota_v1(folder));
      if (path.empty() || path == "/") {
        break;
      }
      path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  }
  return limit;
}

unsigned default_concurrency(const std::string& root) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  double count = std::max(1, cores);
  if (const auto limit = cgroup_cpus(root)) {
    count = std::clamp(static_cast<double>(static_cast<unsigned>(*limit)), 1.0, count);
  }
  return static_cast<unsigned>(count);
}

}  // namespace remora::proxy
