// The reader of service-intentions.
#include <fmt/format.h>

#include <algorithm>

#include "control/catalog/entry_rows.h"
#include "control/catalog/read_http_match.h"
#include "control/catalog/readers.h"
#include "control/catalog/stable_order.h"
#include "control/catalog/words.h"

namespace remora::catalog {
namespace {

constexpr std::string_view kNoJwt = "JSON web tokens in intentions are not supported yet";
constexpr std::string_view kLegacy = "is left of Consul's intentions before 1.9: not supported";

struct HttpKeys {
  Permission* permission = nullptr;
  PathKeys path;
};

template <auto Member>
constexpr FieldRow of_path(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits& limits) {
            read_value(at, static_cast<HttpKeys*>(into)->path.*Member, limits);
          }};
}

void read_header(const At& at, HttpKeys& into) {
  if (is_list(at)) {
    for (std::size_t i = 0; i < at.node().items.size(); ++i) {
      read_value_match(at.item(i, *at.node().items[i]), into.permission->header.emplace_back(),
                       MatchWords::intention_header);
    }
  }
}
void read_methods(const At& at, HttpKeys& into) { read_value(at, into.permission->methods, Limits{}); }

void read_http(const At& at, Permission& into) {
  static constexpr std::array kRows = {of_path<&PathKeys::exact>("path_exact"),
                                       of_path<&PathKeys::prefix>("path_prefix"),
                                       of_path<&PathKeys::regex>("path_regex"), custom<HttpKeys, read_header>("header"),
                                       custom<HttpKeys, read_methods>("methods")};
  HttpKeys keys{&into, {}};
  read_rows(at, kRows, &keys);
  settle_path(at, keys.path, into.path);
  check_methods(at, into.methods);
  if (into.path.kind == PathMatch::Kind::any && into.methods.empty() && into.header.empty()) {
    at.error("needs a path, methods or header: to allow or deny everything, write the source's `action` instead");
  }
}

void read_type(const At& at, IntentionSource&) {
  std::string type;
  read_value(at, type, Limits{});
  if (!type.empty() && type != "consul") {
    at.expected("consul, the only type that there is");
  }
}

int precedence_of(std::string_view destination, std::string_view source) {
  if (destination != "*") {
    return source != "*" ? 9 : 8;
  }
  return source != "*" ? 6 : 5;
}

}  // namespace

void read_value(const At& at, Permission& into, const Limits&) {
  static constexpr std::array kRows = {row<&Permission::action>("action"), custom<Permission, read_http>("http"),
                                       refused("jwt", kNoJwt)};
  read_mapping(at, into, kRows);
  if (!at.has("action")) {
    at.error("needs an action: allow or deny");
  }
  if (!at.has("http")) {
    at.error("needs http: what of a request it is about");
  }
}

void read_value(const At& at, IntentionSource& into, const Limits&) {
  // Consul writes an empty action beside permissions.
  static constexpr auto kAction = [](const At& here, void* source, const Limits& limits) {
    if (here.node().kind != config::YamlNode::Kind::scalar || !here.node().text.empty()) {
      read_value(here, static_cast<IntentionSource*>(source)->action, limits);
    }
  };
  static constexpr std::array kRows = {row<&IntentionSource::name>("name"),
                                       FieldRow{"action", kAction},
                                       row<&IntentionSource::permissions>("permissions"),
                                       row<&IntentionSource::description>("description"),
                                       custom<IntentionSource, read_type>("type"),
                                       ignored("precedence"),
                                       ignored("legacy_id"),
                                       ignored("legacy_create_time"),
                                       ignored("legacy_update_time"),
                                       refused("legacy_meta", kLegacy),
                                       refused("namespace", kNoNamespaces),
                                       refused("partition", kNoPartitions),
                                       refused("peer", kNoPeers),
                                       refused("sameness_group", kNoSameness)};
  read_mapping(at, into, kRows);
  const auto* action = at.find("action");
  const bool acts = action != nullptr && !says_nothing(*action);
  if (into.name != "*") {
    check_name(at, "name", "the name of the service that calls, or \"*\"", into.name);
  }
  if (acts && !into.permissions.empty()) {
    at.error("action", "does not go with permissions: each of them has its own");
  } else if (!acts && into.permissions.empty()) {
    at.error("needs an action (allow or deny), or permissions");
  }
}

void read_value(const At& at, ServiceIntentions& into, const Limits&) {
  static constexpr auto kRows =
      entry_rows<ServiceIntentions>(std::array{row<&ServiceIntentions::sources>("sources"), refused("jwt", kNoJwt)});
  read_mapping(at, into, kRows);
  into.head.place = at.place();
  if (into.head.name != "*") {
    check_name(at, "name", "the name of the service that is called, or \"*\"", into.head.name);
  }
  check_meta(at, into.head.meta);
  if (into.sources.empty()) {
    at.error("sources", "needs at least one source");
  }
  for (std::size_t i = 0; i < into.sources.size(); ++i) {
    IntentionSource& source = into.sources[i];
    source.precedence = precedence_of(into.head.name, source.name);
    if (into.head.name == "*" && !source.permissions.empty()) {
      at.error("sources", fmt::format("[{}]: permissions need one destination, not \"*\"", i));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (into.sources[j].name == source.name) {
        at.error("sources", fmt::format("[{}] and [{}] are the same source, '{}'", j, i, source.name));
      }
    }
  }
  sort_stably(into.sources, [](const IntentionSource& source) { return -source.precedence; });
}

}  // namespace remora::catalog
