#include "proxy/admin/field_mask.h"

#include <algorithm>

#include "core/admin/json.h"

namespace remora::admin {
namespace {

// False: a path leads through a list or a plain value.
bool append_trimmed(std::string& out, std::string_view object, const std::vector<std::string_view>& paths) {
  out += '{';
  for (const auto& [name, value] : json_members(object)) {
    bool whole = name == "@type";
    std::vector<std::string_view> inside;
    for (const std::string_view path : paths) {
      whole = whole || path == name;
      if (path.size() > name.size() && path.starts_with(name) && path[name.size()] == '.') {
        inside.push_back(path.substr(name.size() + 1));
      }
    }
    if (!whole && inside.empty()) {
      continue;
    }
    out += out.back() == '{' ? "" : ",";
    out += '"';
    out += name;
    out += "\":";
    if (whole) {
      out += value;
    } else if (!value.starts_with('{') || !append_trimmed(out, value, inside)) {
      return false;
    }
  }
  out += '}';
  return true;
}

}  // namespace

FieldMask::FieldMask(std::string_view text) {
  while (!text.empty()) {
    const std::string_view path = text.substr(0, text.find(','));
    if (!path.empty()) {
      paths_.push_back(path);
    }
    text.remove_prefix(std::min(text.size(), path.size() + 1));
  }
}

std::optional<std::string> FieldMask::trim(std::string_view object) const {
  std::string out;
  return append_trimmed(out, object, paths_) ? std::optional(std::move(out)) : std::nullopt;
}

bool FieldMask::begins_with(std::string_view member, std::string_view other) const {
  return std::ranges::all_of(paths_, [&](std::string_view path) {
    const std::string_view first = path.substr(0, path.find('.'));
    return first == member || first == other;
  });
}

}  // namespace remora::admin
