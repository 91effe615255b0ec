#include "proxy/exchange/normalize_path.h"

#include <algorithm>

namespace remora::proxy {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool unreserved(int c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Decodes what needs no encoding, and turns backslashes around. Empty: there is a NUL.
std::string_view decode(std::string_view path, char* to) {
  char* at = to;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size()) {
      const int high = hex(path[i + 1]);
      const int low = hex(path[i + 2]);
      if (high == 0 && low == 0) {
        return {};
      }
      if (high >= 0 && low >= 0 && unreserved(high * 16 + low)) {
        *at++ = static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    *at++ = path[i] == '\\' ? '/' : path[i];
  }
  return {to, static_cast<std::size_t>(at - to)};
}

// Resolves "." and ".." in place; answers the new size. `path` begins with a slash.
std::size_t resolve_dots(char* path, std::size_t size) {
  std::size_t out = 0;
  std::size_t i = 0;
  while (i < size) {
    const std::size_t end = static_cast<std::size_t>(std::find(path + i + 1, path + size, '/') - path);
    const std::string_view segment(path + i + 1, end - i - 1);
    const bool last = end == size;
    if (segment == "." || segment == "..") {
      if (segment == "..") {
        do {
          out -= out > 0 ? 1 : 0;
        } while (out > 0 && path[out] != '/');
      }
      if (last) {
        path[out++] = '/';
      }
    } else {
      std::copy(path + i, path + end, path + out);
      out += end - i;
    }
    i = end;
  }
  return out;
}

std::string_view query_of(std::string_view path) {
  const std::size_t query = path.find('?');
  return query == std::string_view::npos ? std::string_view{} : path.substr(query);
}

}  // namespace

std::optional<std::string_view> normalize_path(std::string_view path, Arena& arena) {
  if (path.empty() || path == "*") {
    return path;
  }
  const std::string_view query = query_of(path);
  const std::string_view plain = path.substr(0, path.size() - query.size());
  if (plain.find_first_of("%\\") == std::string_view::npos && plain.find("/.") == std::string_view::npos) {
    return path;
  }
  char* buffer = arena.make_array<char>(path.size());
  const std::string_view decoded = decode(plain, buffer);
  if (decoded.empty() || decoded.front() != '/') {
    return std::nullopt;
  }
  const std::size_t size = resolve_dots(buffer, decoded.size());
  std::copy(query.begin(), query.end(), buffer + size);
  return std::string_view(buffer, size + query.size());
}

std::string_view merge_slashes(std::string_view path, Arena& arena) {
  const std::string_view query = query_of(path);
  const std::string_view plain = path.substr(0, path.size() - query.size());
  if (plain.find("//") == std::string_view::npos) {
    return path;
  }
  char* buffer = arena.make_array<char>(path.size());
  char* at = std::unique_copy(plain.begin(), plain.end(), buffer, [](char a, char b) { return a == '/' && b == '/'; });
  at = std::copy(query.begin(), query.end(), at);
  return {buffer, static_cast<std::size_t>(at - buffer)};
}

}  // namespace remora::proxy
