#include "proxy/sources/xds_protocol.h"

#include <fmt/format.h>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/xds/resources.h"

namespace remora::sources {

std::string_view noun(ResourceType type) {
  switch (type) {
    case ResourceType::cluster:
      return "cluster";
    case ResourceType::endpoint:
      return "endpoints";
    case ResourceType::listener:
      return "listener";
    case ResourceType::route:
      return "route config";
    case ResourceType::secret:
      return "secret";
  }
  return "";
}

std::string describe(ResourceType type, const std::vector<Rejection>& rejections) {
  std::string result;
  std::size_t told = 0;
  for (const Rejection& each : rejections) {
    if (result.size() > kMaxErrorDetail) {
      result += fmt::format("\nand {} more", rejections.size() - told);
      break;
    }
    std::string_view rest = each.reason;
    while (!rest.empty()) {  // each line names its resource
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      result += fmt::format("{}{} '{}': {}", result.empty() ? "" : "\n", noun(type), each.name, rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    ++told;
  }
  return result;
}

Resource unwrap(const google::protobuf::Any& any, const std::string& version) {
  envoy::service::discovery::v3::Resource wrapped;
  if (any.type_url().ends_with("/envoy.service.discovery.v3.Resource") && wrapped.ParseFromString(any.value())) {
    return {wrapped.name().empty() ? xds::resource_name(wrapped.resource()) : wrapped.name(),
            wrapped.version().empty() ? version : wrapped.version(), wrapped.resource()};
  }
  return {xds::resource_name(any), version, any};
}

}  // namespace remora::sources
