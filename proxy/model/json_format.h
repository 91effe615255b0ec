// JsonFormat: what an access log's json_format says: text with operators in it, fixed values, and objects and lists of
// these. Parsed once when the configuration is loaded; immutable; any thread. Source: Envoy SubstitutionFormatString
// json_format.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/model/format.h"

namespace remora::model {

struct JsonFormat {
  struct Fixed {
    std::string json;  // as it is printed: a number, true, false, null
  };
  using Object = std::vector<std::pair<std::string, JsonFormat>>;  // sorted by key, as Envoy prints them
  using List = std::vector<JsonFormat>;

  JsonFormat(Format format) : value(std::move(format)) {}  // NOLINT(google-explicit-constructor)
  JsonFormat(Fixed fixed) : value(std::move(fixed)) {}     // NOLINT(google-explicit-constructor)
  JsonFormat(Object object) : value(std::move(object)) {}  // NOLINT(google-explicit-constructor)
  JsonFormat(List list) : value(std::move(list)) {}        // NOLINT(google-explicit-constructor)

  std::variant<Format, Fixed, Object, List> value;
};

}  // namespace remora::model
