#include "proxy/route_command.h"

#include <fmt/format.h>

#include <array>

#include "core/base/nearest.h"
#include "proxy/ask_admin.h"

namespace remora::proxy {
namespace {

constexpr int kSent = 0;
constexpr int kBlocked = 1;
constexpr int kUsage = 2;

std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// Where the value of a flag goes; null: there is no such flag, or it has none.
std::string* value_of(RouteCommand& command, std::string_view name) {
  if (name == "--admin") {
    return &command.admin;
  }
  if (name == "--listener") {
    return &command.listener;
  }
  if (name == "--header" || name == "-H") {
    return &command.headers.emplace_back();
  }
  return nullptr;
}

}  // namespace

Result<RouteCommand> parse_route_command(std::span<const std::string_view> arguments) {
  static constexpr std::array<std::string_view, 5> kFlags = {"--admin", "--listener", "--header", "--json", "--help"};
  RouteCommand command;
  std::vector<std::string_view> positional;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string_view::npos;
    const std::string_view name = argument.substr(0, equals);
    if (!argument.starts_with('-') || argument == "-") {
      positional.push_back(argument);
    } else if (argument == "--json") {
      command.json = true;
    } else if (argument == "--help" || argument == "-h") {
      command.help = true;
    } else if (std::string* value = value_of(command, name); value == nullptr) {
      return fail(fmt::format("route has no flag {}{}", name, did_you_mean(name, kFlags)));
    } else if (equals != std::string_view::npos) {
      *value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      *value = arguments[++i];
    } else {
      return fail(fmt::format("{} needs a value", name));
    }
  }
  if (command.help) {
    return command;
  }
  if (positional.empty() || positional.size() > 2) {
    return fail(positional.empty() ? std::string("route needs a URL: remora-proxy route GET http://api/v2")
                                   : fmt::format("'{}' is one argument too many", positional[2]));
  }
  command.url = positional.back();
  command.method = positional.size() == 2 ? positional.front() : command.method;
  return command;
}

std::string route_help() {
  return "remora-proxy route [METHOD] URL [-H 'NAME: VALUE']… [--listener NAME] [--admin ADDR] [--json]\n"
         "What a running proxy would do with a request: its listener, route, clusters, their endpoints and health as\n"
         "they are now, times and retries; or what the proxy would answer by itself, why, and what to do. Nothing is\n"
         "sent. The listener is found by the URL's port or service, by --listener, or is the only one.\n\n"
         "  remora-proxy route http://127.0.0.1:9191/v2/orders\n"
         "  remora-proxy route POST http://api/v2/orders -H 'x-user: a'\n"
         "  remora-proxy route --listener inbound/web http://web/ -H 'host: web.example'\n"
         "  remora-proxy route --admin 127.0.0.1:15001 --json http://api/ | jq '.shares[].endpoints'\n\n"
         "  --admin ADDR       the proxy's admin interface: IP:PORT, or a Unix socket (127.0.0.1:15000)\n"
         "  -H, --header LINE  a header of the request; may be given several times\n"
         "  --listener NAME    which listener takes it\n"
         "  --json             for programs: one JSON object on stdout\n\n"
         "Exit code: 0 when the request would be sent, 1 when the proxy would refuse it or does not answer; 2 when "
         "the\n"
         "question is wrong. What a mesh file would do: remora-control explain.\n";
}

std::string route_target(const RouteCommand& command) {
  std::string target = fmt::format("/route?url={}&method={}", encoded(command.url), encoded(command.method));
  for (const std::string& header : command.headers) {
    target += "&header=" + encoded(header);
  }
  target += command.listener.empty() ? "" : "&listener=" + encoded(command.listener);
  return target + (command.json ? "&format=json" : "");
}

int run_route_command(std::span<const std::string_view> arguments, const std::function<void(std::string_view)>& out,
                      const std::function<void(std::string_view)>& err) {
  const auto command = parse_route_command(arguments);
  if (!command) {
    err(fmt::format("error: {}\n", command.error().message));
    return kUsage;
  }
  if (command->help) {
    out(route_help());
    return kSent;
  }
  const auto answer = ask_admin(command->admin, route_target(*command));
  if (!answer) {
    err(fmt::format("error: {}\n", answer.error().message));
    return kBlocked;
  }
  if (answer->status != 200) {
    err(fmt::format("error: {}", answer->body));
    return answer->status == 503 ? kBlocked : kUsage;
  }
  out(answer->body);
  const bool blocked = answer->body.find(command->json ? "\n \"blocked\": true" : "\n  BLOCKED ") != std::string::npos;
  return blocked ? kBlocked : kSent;
}

}  // namespace remora::proxy
