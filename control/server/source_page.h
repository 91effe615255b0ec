// Where control has its mesh from and how well that goes, for people: /sources. Values and pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "core/base/time.h"

namespace remora::control {

// One question to Consul that is asked again and again.
struct SourceWatch {
  std::string path;
  bool answered = false;  // ever
  Nanoseconds age{0};     // of the last answer, changed or not; before the first: since it was asked
  std::string failure;    // since then; empty: none
};

struct Sources {
  std::string from;                  // "Consul at 127.0.0.1:8500", "mesh files: /etc/mesh"
  bool consul = false;               // has watches
  Nanoseconds doubted_for{0};        // yet: after an outage of Consul, answers that take everything away; 0: not
  std::vector<SourceWatch> watches;  // of Consul
};

std::size_t failing(const Sources& sources);
Nanoseconds oldest(const Sources& sources);
std::string sources_text(const Sources& sources);
std::string sources_json(const Sources& sources);

}  // namespace remora::control
