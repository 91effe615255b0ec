#include "proxy/sources/text_response.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "core/config/json_tree.h"
#include "core/config/scope.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/sources/xds_protocol.h"
#include "proxy/xds/known_names.h"
#include "proxy/xds/proto_reader.h"

namespace remora::sources {
namespace {

constexpr std::string_view kResources = "resources[";

// Which resource an error is of: "resources[3].name" → 3. Empty: of none.
std::optional<int> resource_of(const std::string& path) {
  int result = 0;
  const char* begin = path.data() + kResources.size();
  if (!path.starts_with(kResources) || std::from_chars(begin, path.data() + path.size(), result).ec != std::errc()) {
    return std::nullopt;
  }
  return result;
}

}  // namespace

Result<TextResponse> read_text_response(std::string_view text, const std::string& where, ResourceType type) {
  xds::supported_extensions();  // the generated pool learns them
  config::Context context;
  context.sources.push_back(config::parse_text(text, where, context.errors));
  envoy::service::discovery::v3::DiscoveryResponse response;
  xds::ProtoReader(*context.sources.back()).read(config::Scope(context), response);
  std::map<int, config::ConfigErrors> errors;
  for (const config::ConfigError& error : context.errors) {
    const auto resource = resource_of(error.path);
    if (!resource || *resource >= response.resources_size()) {
      return fail(error.to_string());
    }
    errors[*resource].push_back(error);
  }
  if (!response.type_url().empty() && response.type_url() != type_url(type)) {
    return fail(fmt::format("{}: type_url: expected {}, got {}", where, type_url(type), response.type_url()));
  }
  TextResponse result;
  result.update.type = type;
  result.update.version = response.version_info();
  result.update.whole = type == ResourceType::cluster || type == ResourceType::listener;
  for (int i = 0; i < response.resources_size(); ++i) {
    Resource resource = unwrap(response.resources(i), response.version_info());
    if (const auto found = errors.find(i); found != errors.end()) {
      result.rejections.push_back({resource.name.empty() ? fmt::format("#{}", i) : resource.name, {}});
      for (const config::ConfigError& error : found->second) {
        auto& reason = result.rejections.back().reason;
        reason += fmt::format("{}{}", reason.empty() ? "" : "\n", error.to_string());
      }
      resource.body.Clear();  // named, so that its last good version stays
    }
    result.update.set.push_back(std::move(resource));
  }
  return result;
}

}  // namespace remora::sources
