#include "core/admin/request.h"

#include <algorithm>
#include <charconv>

namespace remora::admin {
namespace {

std::string decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned char byte = 0;
    if (text[at] == '+') {
      out += ' ';
    } else if (text[at] == '%' && at + 2 < text.size() &&
               std::from_chars(text.data() + at + 1, text.data() + at + 3, byte, 16).ptr == text.data() + at + 3) {
      out += static_cast<char>(byte);
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

}  // namespace

AdminRequest AdminRequest::parse(std::string_view method, std::string_view target) {
  AdminRequest request;
  request.method = method;
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (request.path.size() > 1 && request.path.ends_with('/')) {
    request.path.pop_back();
  }
  std::string_view rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    if (item.empty()) {
      continue;
    }
    const std::size_t equals = item.find('=');
    request.query.emplace_back(decode(item.substr(0, equals)),
                               equals == std::string_view::npos ? std::string() : decode(item.substr(equals + 1)));
  }
  return request;
}

std::optional<std::string_view> AdminRequest::find(std::string_view name) const {
  const auto found = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
  return found == query.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

}  // namespace remora::admin
