// Readers of what several structures share.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "control/catalog/read_http_match.h"
#include "control/catalog/readers.h"
#include "control/catalog/words.h"
#include "core/base/nearest.h"

namespace remora::catalog {

// The limits of Consul's meta: structs.validateConfigEntryMeta, ValidateServiceMetadata.
constexpr std::size_t kMostMeta = 64;
constexpr std::size_t kLongestMetaKey = 128;
constexpr std::size_t kLongestMetaValue = 512;

void read_value(const At& at, HeaderChanges& into, const Limits&) {
  static constexpr std::array kRows = {row<&HeaderChanges::add>("add"), row<&HeaderChanges::set>("set"),
                                       row<&HeaderChanges::remove>("remove")};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, ExposePath& into, const Limits&) {
  static constexpr std::array kRows = {row<&ExposePath::path>("path"),
                                       row<&ExposePath::local_path_port>("local_path_port"),
                                       row<&ExposePath::listener_port>("listener_port"),
                                       row<&ExposePath::protocol>("protocol"), ignored("parsed_from_check")};
  read_mapping(at, into, kRows);
  check_absolute(at, "path", into.path);
  if (into.path.empty()) {
    at.error("needs a path, such as /metrics");
  }
  if (into.local_path_port == 0 || into.listener_port == 0) {
    at.error("needs local_path_port (where the service serves the path) and listener_port (where all may ask for it)");
  }
  if (into.protocol.empty()) {
    into.protocol = "http";
  }
  if (into.protocol != "http" && into.protocol != "http2") {
    at.error("protocol", fmt::format("expected http or http2, not '{}'", into.protocol));
  }
}

void read_value(const At& at, Expose& into, const Limits&) {
  static constexpr std::array kRows = {row<&Expose::checks>("checks"), row<&Expose::paths>("paths"), ignored("port")};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, TransparentProxy& into, const Limits&) {
  static constexpr std::array kRows = {row<&TransparentProxy::outbound_listener_port>("outbound_listener_port"),
                                       row<&TransparentProxy::dialed_directly>("dialed_directly")};
  read_mapping(at, into, kRows);
  if (into.outbound_listener_port == 0) {
    into.outbound_listener_port = TransparentProxy().outbound_listener_port;
  }
}

void read_mesh_gateway(const At& at, MeshGatewayMode& into) {
  struct Holder {
    MeshGatewayMode mode = MeshGatewayMode::unset;
  } holder;
  static constexpr std::array kRows = {row<&Holder::mode>("mode")};
  read_mapping(at, holder, kRows);
  into = holder.mode;
}

void read_failover_policy_words(const At& at) {
  struct Keys {
    std::string mode;
  } keys;
  static constexpr std::array kRows = {row<&Keys::mode>("mode"),
                                       refused("regions", "localities are Consul Enterprise's: not supported")};
  read_rows(at, kRows, &keys);
  if (!keys.mode.empty() && keys.mode != "sequential") {
    at.error("mode", "only `sequential` is supported: the order in which the targets are written");
  }
}

// --- rules that several share ----------------------------------------------------------------------------------------
void check_name(const At& at, std::string_view key, std::string_view what, std::string_view name) {
  constexpr std::size_t kLongestLabel = 63;
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           (c >= 'A' && c <= 'Z');
  };
  if (name.empty()) {
    at.error(fmt::format("needs {}", what));
  } else if (name.size() > kLongestLabel * 2) {
    at.error(key, fmt::format("{} is at most {} characters long", what, kLongestLabel * 2));
  } else if (!std::ranges::all_of(name, fits)) {
    at.error(key, fmt::format("{} is made of letters, digits, '-', '_' and '.', since it becomes part of names in DNS; "
                              "not '{}'",
                              what, name));
  }
}

void check_meta(const At& at, const TextMap& meta) {
  if (meta.size() > kMostMeta) {
    at.error("meta", fmt::format("at most {} keys, as in Consul; here are {}", kMostMeta, meta.size()));
  }
  for (const auto& [key, value] : meta) {
    if (key.size() > kLongestMetaKey) {
      at.error("meta", fmt::format("a key is at most {} characters long, as in Consul: '{}'", kLongestMetaKey, key));
    }
    if (value.size() > kLongestMetaValue) {
      at.error("meta", fmt::format("the value of '{}' has {} characters; at most {}, as in Consul", key, value.size(),
                                   kLongestMetaValue));
    }
  }
}

void check_absolute(const At& at, std::string_view key, std::string_view path) {
  if (!path.empty() && path.front() != '/') {
    at.error(key, fmt::format("expected a path that begins with '/', not '{}'", path));
  }
}

void check_methods(const At& at, std::vector<std::string>& methods) {
  static constexpr std::array<std::string_view, 9> kMethods = {"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                                               "DELETE", "CONNECT", "OPTIONS", "TRACE"};
  for (std::size_t i = 0; i < methods.size(); ++i) {
    std::string& method = methods[i];
    std::ranges::transform(method, method.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (std::ranges::find(kMethods, method) == kMethods.end()) {
      at.error("methods",
               fmt::format("'{}' is no HTTP method that Consul knows{}", method, did_you_mean(method, kMethods)));
    } else if (std::find(methods.begin(), methods.begin() + static_cast<std::ptrdiff_t>(i), method) !=
               methods.begin() + static_cast<std::ptrdiff_t>(i)) {
      at.error("methods", fmt::format("'{}' is here twice", method));
    }
  }
}

void check_regex(const At& at, std::string_view key, std::string_view regex) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 compiled(re2::StringPiece(regex.data(), regex.size()), options);
  if (!compiled.ok()) {
    at.error(key, fmt::format("not a regular expression (RE2's syntax): {}", compiled.error()));
  }
}

// --- matches ---------------------------------------------------------------------------------------------------------
void settle_path(const At& at, const PathKeys& keys, PathMatch& into) {
  const int written = int(!keys.exact.empty()) + int(!keys.prefix.empty()) + int(!keys.regex.empty());
  if (written > 1) {
    at.error("write one of path_exact, path_prefix and path_regex");
  }
  check_absolute(at, "path_exact", keys.exact);
  check_absolute(at, "path_prefix", keys.prefix);
  if (!keys.exact.empty()) {
    into = {PathMatch::Kind::exact, keys.exact};
  } else if (!keys.prefix.empty()) {
    into = {PathMatch::Kind::prefix, keys.prefix};
  } else if (!keys.regex.empty()) {
    check_regex(at, "path_regex", keys.regex);
    into = {PathMatch::Kind::regex, keys.regex};
  }
}

void read_value_match(const At& at, ValueMatch& into, MatchWords words) {
  struct Keys {
    std::string name;
    std::string exact, prefix, suffix, contains, regex;
    bool present = false, invert = false, ignore_case = false;
  } keys;
  static constexpr std::string_view kNotHere = "Consul has no such match here";
  static constexpr std::array kRouterHeader = {
      row<&Keys::name>("name"),     row<&Keys::present>("present"), row<&Keys::exact>("exact"),
      row<&Keys::prefix>("prefix"), row<&Keys::suffix>("suffix"),   row<&Keys::regex>("regex"),
      row<&Keys::invert>("invert"), refused("contains", kNotHere),  refused("ignore_case", kNotHere)};
  static constexpr std::array kIntentionHeader = {
      row<&Keys::name>("name"),     row<&Keys::present>("present"), row<&Keys::exact>("exact"),
      row<&Keys::prefix>("prefix"), row<&Keys::suffix>("suffix"),   row<&Keys::contains>("contains"),
      row<&Keys::regex>("regex"),   row<&Keys::invert>("invert"),   row<&Keys::ignore_case>("ignore_case")};
  static constexpr std::array kQuery = {row<&Keys::name>("name"), row<&Keys::present>("present"),
                                        row<&Keys::exact>("exact"), row<&Keys::regex>("regex")};
  into.place = at.place();
  const std::span<const FieldRow> rows = words == MatchWords::router_header ? std::span<const FieldRow>(kRouterHeader)
                                         : words == MatchWords::intention_header
                                             ? std::span<const FieldRow>(kIntentionHeader)
                                             : std::span<const FieldRow>(kQuery);
  read_rows(at, rows, &keys);
  using Kind = ValueMatch::Kind;
  const std::array<std::pair<Kind, const std::string*>, 5> texts = {{{Kind::exact, &keys.exact},
                                                                     {Kind::prefix, &keys.prefix},
                                                                     {Kind::suffix, &keys.suffix},
                                                                     {Kind::contains, &keys.contains},
                                                                     {Kind::regex, &keys.regex}}};
  into.name = keys.name;
  into.invert = keys.invert;
  into.ignore_case = keys.ignore_case;
  int written = keys.present ? 1 : 0;
  for (const auto& [kind, text] : texts) {
    if (!text->empty()) {
      ++written;
      into.kind = kind;
      into.value = *text;
    }
  }
  if (keys.name.empty()) {
    at.error(words == MatchWords::query ? "needs the name of a query parameter" : "needs the name of a header");
  }
  if (written != 1) {
    at.error(words == MatchWords::query           ? "write one of present, exact and regex"
             : words == MatchWords::router_header ? "write one of present, exact, prefix, suffix and regex"
                                                  : "write one of present, exact, prefix, suffix, contains and regex");
  }
  if (into.kind == Kind::regex) {
    check_regex(at, "regex", into.value);
  }
  if (into.ignore_case && (into.kind == Kind::present || into.kind == Kind::regex)) {
    at.error("ignore_case", "goes with exact, prefix, suffix or contains");
  }
}

}  // namespace remora::catalog
