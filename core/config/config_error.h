// ConfigError: one thing that is wrong with a configuration, where, and what would be right. A value; any thread.
#pragma once

#include <string>
#include <vector>

namespace remora::config {

struct ConfigError {
  std::string file;
  int line = 0;  // from 1; 0: unknown
  int column = 0;
  std::string path;  // static_resources.listeners[0].address; empty: the file as a whole
  std::string message;

  // "bootstrap.yaml:12:7: static_resources.listeners[0].address: ..."
  std::string to_string() const;
};

using ConfigErrors = std::vector<ConfigError>;

}  // namespace remora::config
