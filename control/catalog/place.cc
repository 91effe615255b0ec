#include "control/catalog/place.h"

#include <fmt/format.h>

namespace remora::catalog {

std::string Place::to_string() const {
  if (file == nullptr) {
    return {};
  }
  return line > 0 ? fmt::format("{}:{}:{}", *file, line, column) : fmt::format("{} {}", *file, path);
}

}  // namespace remora::catalog
