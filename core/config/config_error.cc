#include "core/config/config_error.h"

#include <fmt/format.h>

namespace remora::config {

std::string ConfigError::to_string() const {
  std::string where = file.empty() ? std::string("configuration") : file;
  if (line > 0) {
    where += fmt::format(":{}:{}", line, column);
  }
  return path.empty() ? fmt::format("{}: {}", where, message) : fmt::format("{}: {}: {}", where, path, message);
}

}  // namespace remora::config
