#include "proxy/admin/route_question.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/nearest.h"

namespace remora::admin {
namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

Result<void> set_url(RouteQuestion& question, std::string_view url) {
  std::string_view rest = url;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    const std::string_view name = rest.substr(0, scheme);
    if (name != "http" && name != "https" && name != "tcp" && name != "grpc") {
      return fail(fmt::format("'{}' is no URL that is answered for: expected http://HOST[:PORT]/PATH", url));
    }
    rest.remove_prefix(scheme + 3);
  }
  rest = rest.substr(0, rest.find('#'));  // which no client sends
  const std::size_t end = rest.find_first_of("/?");
  question.authority = std::string(rest.substr(0, end));
  question.path = end == std::string_view::npos ? "/" : std::string(rest.substr(end));
  if (question.path.starts_with('?')) {
    question.path.insert(0, "/");
  }
  return {};
}

Result<void> add_header(RouteQuestion& question, std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_printable(line)) {
    return fail(fmt::format("'{}' is no header: expected 'name: value'", line));
  }
  const std::size_t value = line.find_first_not_of(" \t", colon + 1);
  question.headers.emplace_back(lower_case(line.substr(0, colon)),
                                value == std::string_view::npos ? std::string_view() : line.substr(value));
  return {};
}

// Of "api:9191" and "[::1]:80"; 0: none.
std::uint16_t port_of(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.find(']', colon) != std::string_view::npos) {
    return 0;
  }
  std::uint16_t port = 0;
  const auto [at, error] = std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
  return error == std::errc() && at == authority.data() + authority.size() ? port : 0;
}

std::string list(const std::vector<ListenerFacts>& listeners) {
  std::string out;
  for (const ListenerFacts& listener : listeners) {
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", listener.name, listener.address.to_string());
  }
  return out.empty() ? "none" : out;
}

const ListenerFacts* by_authority(std::string_view authority, const std::vector<ListenerFacts>& listeners) {
  const std::uint16_t port = port_of(authority);
  const ListenerFacts* found = nullptr;
  for (const ListenerFacts& listener : listeners) {
    if (listener.address.to_string() == authority) {
      return &listener;
    }
    if (port != 0 && listener.address.is_ip() && listener.address.port() == port && found == nullptr) {
      found = &listener;
    }
  }
  if (found != nullptr) {
    return found;
  }
  // A mesh's listeners are named by the services that they lead to.
  std::string_view host =
      authority.substr(0, authority.rfind(':') == std::string_view::npos ? authority.size() : authority.rfind(':'));
  const std::string whole = fmt::format("outbound/{}", host);
  const std::string first = fmt::format("outbound/{}", host.substr(0, host.find('.')));  // of api.virtual.consul
  for (const std::string& name : {whole, first}) {
    const auto named = std::ranges::find(listeners, name, &ListenerFacts::name);
    if (named != listeners.end()) {
      return &*named;
    }
  }
  return nullptr;
}

}  // namespace

std::string RouteQuestion::text() const { return fmt::format("{} http://{}{}", method, authority, path); }

Result<RouteQuestion> parse_route_question(const AdminRequest& request) {
  RouteQuestion question;
  question.method = request.find("method").value_or("GET");
  question.listener = request.find("listener").value_or("");
  if (question.method.empty()) {
    question.method = "GET";
  }
  const std::string_view url = request.find("url").value_or("");
  if (url.empty()) {
    return fail("which request? say url=http://HOST[:PORT]/PATH");
  }
  if (!is_printable(url) || !is_printable(question.method) || url.find(' ') != std::string_view::npos) {
    return fail("the URL and the method hold neither spaces nor control characters");
  }
  if (auto set = set_url(question, url); !set) {
    return std::unexpected(set.error());
  }
  for (const auto& [name, value] : request.query) {
    if (name == "header" && !value.empty()) {
      if (auto added = add_header(question, value); !added) {
        return std::unexpected(added.error());
      }
    }
  }
  return question;
}

Result<ListenerFacts> find_listener(const RouteQuestion& question, const std::vector<ListenerFacts>& listeners) {
  if (!question.listener.empty()) {
    const auto named = std::ranges::find(listeners, question.listener, &ListenerFacts::name);
    if (named != listeners.end()) {
      return *named;
    }
    std::vector<std::string_view> names;
    std::ranges::transform(listeners, std::back_inserter(names), &ListenerFacts::name);
    return fail(fmt::format("there is no listener '{}'{}; there are: {}", question.listener,
                            did_you_mean(question.listener, names), list(listeners)));
  }
  if (const ListenerFacts* found = by_authority(question.authority, listeners)) {
    return *found;
  }
  if (listeners.size() == 1) {
    return listeners.front();
  }
  return fail(fmt::format("which listener? '{}' names none by port or service; say listener=NAME. There are: {}",
                          question.authority, list(listeners)));
}

}  // namespace remora::admin
