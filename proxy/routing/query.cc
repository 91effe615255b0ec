#include "proxy/routing/query.h"

namespace remora::routing {

std::optional<std::string_view> query_value(std::string_view path, std::string_view name) {
  const std::size_t question = path.find('?');
  if (question == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view query = path;
  query.remove_prefix(question + 1);
  while (true) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    }
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    query.remove_prefix(end + 1);
  }
}

}  // namespace remora::routing
