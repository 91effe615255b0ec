#include "metrics/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace remora::metrics {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

double boot_time_seconds() {
  const std::string text = read_file("/proc/stat");
  const std::size_t at = text.find("\nbtime ");
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + 7, nullptr);
}

double count_fds() {
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) {  // out of descriptors, say: no number is better than a wrong one
    return -1;
  }
  int count = 0;
  while (const dirent* entry = ::readdir(dir)) {
    count += entry->d_name[0] == '.' ? 0 : 1;
  }
  ::closedir(dir);
  return count - 1;  // not the directory itself
}

}  // namespace

ProcessFacts read_process() {
  ProcessFacts facts;
  const std::string stat = read_file("/proc/self/stat");
  const std::size_t paren = stat.rfind(')');  // the program's name may hold spaces
  if (paren != std::string::npos) {
    std::istringstream fields(stat.substr(paren + 1));
    std::string field;
    double user = 0;
    double system = 0;
    double start = 0;
    double pages = 0;
    for (int i = 3; fields >> field; ++i) {  // numbered as in proc(5)
      const double value = std::strtod(field.c_str(), nullptr);
      switch (i) {
        case 14:
          user = value;
          break;
        case 15:
          system = value;
          break;
        case 20:
          facts.threads = value;
          break;
        case 22:
          start = value;
          break;
        case 23:
          facts.virtual_bytes = value;
          break;
        case 24:
          pages = value;
          break;
        default:
          break;
      }
    }
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    static const double boot = boot_time_seconds();
    facts.cpu_seconds = (user + system) / ticks;
    facts.start_time_seconds = boot + start / ticks;
    facts.resident_bytes = pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
  }
  facts.open_fds = count_fds();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts.max_fds = static_cast<double>(limit.rlim_cur);
  }
  return facts;
}

}  // namespace remora::metrics
