// Process: what the kernel knows of this process, read from /proc at each scrape. Main thread.
#pragma once

#include <cstdint>

namespace remora::metrics {

struct ProcessFacts {
  double start_time_seconds = 0;  // Unix time
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double open_fds = 0;
  double max_fds = 0;
  double threads = 0;
};

ProcessFacts read_process();

}  // namespace remora::metrics
