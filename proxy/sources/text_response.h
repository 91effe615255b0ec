// read_text_response: a DiscoveryResponse in JSON or YAML, from REST or a file, into an update. A resource that cannot
// be read is rejected alone. Pure function; main thread. Source: Envoy's xDS REST protocol, filesystem subscriptions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "proxy/sources/resources.h"

namespace remora::sources {

struct TextResponse {
  ResourceUpdate update;
  std::vector<Rejection> rejections;  // of resources that are not in `update`
};

// `where` names the text in errors. `type`: what the response must be of, when it says; resources say it themselves.
Result<TextResponse> read_text_response(std::string_view text, const std::string& where, ResourceType type);

}  // namespace remora::sources
