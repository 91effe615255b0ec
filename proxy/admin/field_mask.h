// FieldMask: which fields of a JSON object to keep, by paths such as "listener.name,last_updated". Values; any thread.
// Source: google.protobuf.FieldMask, as Envoy's /config_dump?mask= applies it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace remora::admin {

class FieldMask {
 public:
  explicit FieldMask(std::string_view text);  // which outlives it

  bool empty() const { return paths_.empty(); }  // keeps everything
  // What remains of `object`, as JSON text; "@type" always does. nullopt: a path leads through a list or a plain value.
  std::optional<std::string> trim(std::string_view object) const;
  // Does each path begin with one of these members?
  bool begins_with(std::string_view member, std::string_view other) const;

 private:
  std::vector<std::string_view> paths_;
};

}  // namespace remora::admin
