// AdminRequest, AdminResponse: what pages work with, so that they need no HTTP server to be tested. Values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace remora::admin {

inline constexpr std::string_view kTextType = "text/plain; charset=UTF-8";
inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kHtmlType = "text/html; charset=UTF-8";

struct AdminRequest {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order

  // `target` is path?query.
  static AdminRequest parse(std::string_view method, std::string_view target);
  std::optional<std::string_view> find(std::string_view name) const;
  bool wants_json() const { return find("format") == "json"; }
};

struct AdminResponse {
  int status = 200;
  std::string_view type = kTextType;
  std::string body;
  std::function<void()> after;  // once the answer is on its way
};

inline AdminResponse ok() { return {.status = 200, .type = kTextType, .body = "OK\n", .after = {}}; }
inline AdminResponse text(std::string body, int status = 200) {
  return {.status = status, .type = kTextType, .body = std::move(body), .after = {}};
}
inline AdminResponse json(std::string body) {
  return {.status = 200, .type = kJsonType, .body = std::move(body), .after = {}};
}

}  // namespace remora::admin
