#include "proxy/xds/known_names.h"

#include <algorithm>
#include <iterator>

#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "remora/clusters/consul/v3/consul.pb.h"

namespace remora::xds {
namespace {

#include "proxy/xds/envoy_names.inc"

template <typename Message>
std::string_view name_of() {
  return Message::descriptor()->full_name();
}

}  // namespace

std::vector<std::string_view> supported_extensions() {
  namespace ext = envoy::extensions;
  // Naming them here also links them, so that the generated pool knows them.
  std::vector<std::string_view> names = {
      name_of<ext::access_loggers::file::v3::FileAccessLog>(),
      name_of<ext::access_loggers::stream::v3::StderrAccessLog>(),
      name_of<ext::access_loggers::stream::v3::StdoutAccessLog>(),
      name_of<ext::filters::http::router::v3::Router>(),
      name_of<ext::filters::network::http_connection_manager::v3::HttpConnectionManager>(),
      name_of<ext::filters::network::tcp_proxy::v3::TcpProxy>(),
      name_of<ext::network::dns_resolver::cares::v3::CaresDnsResolverConfig>(),
      name_of<ext::retry::host::previous_hosts::v3::PreviousHostsPredicate>(),
      name_of<ext::upstreams::http::v3::HttpProtocolOptions>(),
      name_of<remora::clusters::consul::v3::ConsulCluster>(),
  };
  std::ranges::sort(names);
  return names;
}

bool is_envoys_member(std::string_view message_or_enum, std::string_view member) {
  // A line is "full.name member member ...".
  const auto* line = std::ranges::lower_bound(kMembers, message_or_enum, {},
                                              [](std::string_view text) { return text.substr(0, text.find(' ')); });
  if (line == std::end(kMembers) || member.empty()) {
    return false;
  }
  std::string_view rest = *line;
  std::string_view word = rest.substr(0, rest.find(' '));
  if (word != message_or_enum) {
    return false;
  }
  while (word.size() < rest.size()) {
    rest.remove_prefix(word.size() + 1);
    word = rest.substr(0, rest.find(' '));
    if (word == member) {
      return true;
    }
  }
  return false;
}

bool is_envoys_extension(std::string_view message) { return std::ranges::binary_search(kExtensions, message); }

}  // namespace remora::xds
