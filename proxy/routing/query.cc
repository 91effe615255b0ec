#include "proxy/routing/query.h"

#include <algorithm>

namespace remora::routing {

std::optional<std::string_view> query_value(std::string_view path, std::string_view name) {
  const std::size_t question = path.find('?');
  if (question == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view query = path.substr(question + 1);
  while (true) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) {
      return equals == pair.size() ? std::string_view() : pair.substr(equals + 1);
    }
    if (end == query.size()) {
      return std::nullopt;
    }
    query.remove_prefix(end + 1);
  }
}

}  // namespace remora::routing
