// What a watched process has used so far: CPU from its threads' schedstat, which counts nanoseconds (utime and stime
// count clock ticks), and memory from status and smaps_rollup. Read by the load generator itself, so that the figures
// belong to exactly the requests that it counts.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace remora::bench {

struct CpuUse {
  std::uint64_t cpu_ns = 0;   // on a core
  std::uint64_t wait_ns = 0;  // runnable, waiting for one
  std::uint64_t slices = 0;   // times it got one
};

struct MemoryUse {
  std::uint64_t rss_kb = 0;
  std::uint64_t pss_kb = 0;
  std::uint64_t private_kb = 0;  // written by it alone, or mapped by it alone
};

inline CpuUse cpu_use(const std::vector<std::string>& pids) {
  CpuUse total;
  for (const std::string& pid : pids) {
    const std::string tasks = "/proc/" + pid + "/task";
    DIR* dir = opendir(tasks.c_str());
    if (dir == nullptr) {
      continue;
    }
    while (const dirent* entry = readdir(dir)) {
      if (entry->d_name[0] == '.') {
        continue;
      }
      std::FILE* file = std::fopen((tasks + "/" + entry->d_name + "/schedstat").c_str(), "r");
      unsigned long long cpu = 0;
      unsigned long long wait = 0;
      unsigned long long slices = 0;
      if (file != nullptr) {
        if (std::fscanf(file, "%llu %llu %llu", &cpu, &wait, &slices) == 3) {
          total.cpu_ns += cpu;
          total.wait_ns += wait;
          total.slices += slices;
        }
        std::fclose(file);
      }
    }
    closedir(dir);
  }
  return total;
}

// Adds up the lines of `path` whose name is among `names`.
inline std::uint64_t sum_lines(const std::string& path, std::initializer_list<const char*> names) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) {
    return 0;
  }
  std::uint64_t sum = 0;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    for (const char* name : names) {
      const std::size_t size = std::strlen(name);
      unsigned long long value = 0;
      if (std::strncmp(line, name, size) == 0 && std::sscanf(line + size, ": %llu", &value) == 1) {
        sum += value;
      }
    }
  }
  std::fclose(file);
  return sum;
}

inline MemoryUse memory_use(const std::vector<std::string>& pids) {
  MemoryUse total;
  for (const std::string& pid : pids) {
    const std::string base = "/proc/" + pid;
    total.rss_kb += sum_lines(base + "/status", {"VmRSS"});
    total.pss_kb += sum_lines(base + "/smaps_rollup", {"Pss"});
    total.private_kb += sum_lines(base + "/smaps_rollup", {"Private_Clean", "Private_Dirty"});
  }
  return total;
}

}  // namespace remora::bench
