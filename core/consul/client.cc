#include "core/consul/client.h"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/consul/connection.h"
#include "core/tls/tls_transport.h"

namespace remora::consul {

std::function<Result<std::string>()> token_from_file(std::string path) {
  return [path = std::move(path), last = std::string()]() mutable -> Result<std::string> {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file.is_open() || file.bad()) {
      const int error = errno;
      if (last.empty()) {
        return fail(fmt::format("cannot read the token file {}: {}", path, std::strerror(error)));
      }
      return last;
    }
    constexpr std::string_view kSpace = " \t\r\n";
    text.erase(std::min(text.find_last_not_of(kSpace) + 1, text.size()));
    text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
    if (text.empty()) {
      return last.empty() ? Result<std::string>(fail(fmt::format("the token file {} is empty", path))) : last;
    }
    if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c >= 127; })) {
      return fail(fmt::format("the token file {} holds more than one word", path));
    }
    last = text;
    return text;
  };
}

std::string_view name(Failure::Reason reason) {
  switch (reason) {
    case Failure::Reason::connect:
      return "connect";
    case Failure::Reason::timeout:
      return "timeout";
    case Failure::Reason::broken:
      return "broken";
    case Failure::Reason::protocol:
      return "protocol";
    case Failure::Reason::too_large:
      return "too_large";
    case Failure::Reason::no_leader:
      return "no_leader";
    case Failure::Reason::refused:
      return "refused";
    case Failure::Reason::status:
      return "status";
    case Failure::Reason::malformed:
      return "malformed";
    default:
      return "token";
  }
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Client::Client(const net::ConnectionContext& context, net::Network& network, ClientOptions options)
    : context_(context), network_(network), options_(std::move(options)) {
  assert(options_.tls != nullptr ||
         std::ranges::all_of(options_.agents, [](const Agent& agent) { return agent.tls_server.empty(); }));
}

Client::~Client() = default;

std::unique_ptr<Pending> Client::start(Request request, Callback done) {
  return std::make_unique<Call>(*this, std::move(request), std::move(done));
}

std::string Client::agents() const {
  std::string text;
  for (const Agent& agent : options_.agents) {
    text += (text.empty() ? "" : ", ") + agent.authority;
  }
  return text;
}

bool Client::is_kept(std::uint64_t connection) const {
  return std::ranges::any_of(connections_, [&](const auto& at) { return at->idle() && at->serial() == connection; });
}

// The wanted one, or any of that agent that nobody comes back to.
Connection* Client::take_idle(const Agent& agent, std::uint64_t wanted) {
  for (const auto& at : connections_) {
    if (at->idle() && at->serial() == wanted) {
      return at.get();
    }
  }
  const auto found =
      std::ranges::find_if(connections_, [&](const auto& at) { return at->resting() && &at->agent() == &agent; });
  return found == connections_.end() ? nullptr : found->get();
}

std::expected<Connection*, int> Client::open(const Agent& agent) {
  auto transport = network_.connect(agent.address, {.source = {}, .keepalive = true});
  if (!transport) {
    return std::unexpected(transport.error());
  }
  if (!agent.tls_server.empty()) {
    *transport = std::make_unique<tls::TlsTransport>(std::move(*transport), options_.tls, agent.tls_server);
  }
  connections_.push_back(std::make_unique<Connection>(*this, agent, ++made_, std::move(*transport)));
  return connections_.back().get();
}

void Client::keep(Connection& connection) {
  const auto idle = std::ranges::count_if(connections_, [](const auto& at) { return at->idle(); });
  if (static_cast<std::size_t>(idle) > options_.max_idle) {
    connection.abandon();
  }
}

void Client::remove(Connection& connection) {
  const auto found = std::ranges::find_if(connections_, [&](const auto& at) { return at.get() == &connection; });
  std::unique_ptr<Connection> owned = std::move(*found);
  connections_.erase(found);
  context_.loop.retire(std::move(owned));
}

}  // namespace remora::consul
