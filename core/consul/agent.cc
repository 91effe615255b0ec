#include "core/consul/agent.h"

#include <fmt/core.h>
#include <netdb.h>

#include <charconv>
#include <memory>

namespace remora::consul {
namespace {

constexpr std::uint16_t kDefaultPort = 8500;
constexpr std::uint16_t kDefaultTlsPort = 8501;

Result<std::uint16_t> parse_port(std::string_view text, std::string_view item) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return fail(fmt::format("Consul address '{}': '{}' is no port: expected 1 to 65535", item, text));
  }
  return port;
}

Result<std::vector<Agent>> resolve(const std::string& host, std::uint16_t port, bool tls, std::string_view item) {
  const std::string authority =
      host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
  if (auto address = Address::parse(host, port)) {
    return std::vector<Agent>{{*address, authority, tls ? host : ""}};
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) {
    return fail(fmt::format("Consul address '{}': cannot resolve '{}': {}", item, host, gai_strerror(status)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<Agent> agents;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    agents.push_back({Address::from_sockaddr(at->ai_addr, at->ai_addrlen), authority, tls ? host : ""});
  }
  return agents;
}

Result<std::vector<Agent>> parse_one(std::string_view item) {
  std::string_view rest = item;
  if (rest.starts_with("unix://")) {
    auto address = Address::unix_path(rest.substr(7));
    if (!address) {
      return fail(fmt::format("Consul address '{}': {}", item, address.error().message));
    }
    return std::vector<Agent>{{*address, "localhost", ""}};
  }
  const bool tls = rest.starts_with("https://");
  if (tls || rest.starts_with("http://")) {
    rest.remove_prefix(tls ? 8 : 7);
    if (rest.ends_with('/')) {
      rest.remove_suffix(1);
    }
  }
  if (rest.empty() || rest.find_first_of("/?#@ ") != std::string_view::npos) {
    return fail(fmt::format(
        "Consul address '{}': expected HOST:PORT, http://HOST:PORT, https://HOST:PORT or unix:///PATH", item));
  }
  std::uint16_t port = tls ? kDefaultTlsPort : kDefaultPort;
  std::string_view host = rest;
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.rfind(':');
  const bool bare_v6 = rest.front() != '[' && rest.find(':') != colon;
  if (colon != std::string_view::npos && !bare_v6 && (bracket == std::string_view::npos || colon > bracket)) {
    const auto parsed = parse_port(rest.substr(colon + 1), item);
    if (!parsed) {
      return std::unexpected(parsed.error());
    }
    port = *parsed;
    host = rest.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty()) {
    return fail(fmt::format("Consul address '{}': expected a host before the port", item));
  }
  return resolve(std::string(host), port, tls, item);
}

}  // namespace

Result<std::vector<Agent>> parse_agents(std::string_view text) {
  std::vector<Agent> agents;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    auto some = parse_one(text.substr(0, comma));
    if (!some) {
      return some;
    }
    agents.insert(agents.end(), some->begin(), some->end());
    if (comma == text.size()) {
      return agents;
    }
    text.remove_prefix(comma + 1);
  }
}

}  // namespace remora::consul
