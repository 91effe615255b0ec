#include <fmt/format.h>

#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

using model::HeaderAdd;

// Envoy's rule, and ours: these say where a request goes, and have their own rewrites.
void check_editable(const Scope& scope, const std::string& name) {
  if (name.starts_with(':') || name == "host") {
    scope.error(
        fmt::format("'{}' cannot be edited as a header: use host_rewrite_literal, prefix_rewrite or the like", name));
  }
}

HeaderAdd::Action action_of(const Scope& scope, const core_v3::HeaderValueOption& option) {
  using Option = core_v3::HeaderValueOption;
  if (option.has_append()) {
    if (option.append_action() != Option::APPEND_IF_EXISTS_OR_ADD) {
      scope.error("append", "and append_action exclude each other");
    }
    return option.append().value() ? HeaderAdd::Action::append_if_exists_or_add
                                   : HeaderAdd::Action::overwrite_if_exists_or_add;
  }
  switch (option.append_action()) {
    case Option::ADD_IF_ABSENT:
      return HeaderAdd::Action::add_if_absent;
    case Option::OVERWRITE_IF_EXISTS_OR_ADD:
      return HeaderAdd::Action::overwrite_if_exists_or_add;
    case Option::OVERWRITE_IF_EXISTS:
      return HeaderAdd::Action::overwrite_if_exists;
    default:
      return HeaderAdd::Action::append_if_exists_or_add;
  }
}

}  // namespace

std::vector<HeaderAdd> read_header_adds(const Scope& list, const HeaderOptions& options) {
  std::vector<HeaderAdd> result;
  for (int i = 0; i < options.size(); ++i) {
    const core_v3::HeaderValueOption& option = options[i];
    const Scope at = list.item(static_cast<std::size_t>(i));
    const Scope header = at.field("header");
    if (!option.has_header()) {
      header.error("is required");
      continue;
    }
    const Scope key = header.field("key");
    const Scope value = header.field("value");
    HeaderAdd& add = result.emplace_back();
    add.name = read_header_name(key, option.header().key());
    check_editable(key, add.name);
    check_header_value(value, option.header().value());
    add.value = read_format(value, option.header().value());
    add.action = action_of(at, option);
    add.keep_empty_value = option.keep_empty_value();
  }
  return result;
}

std::vector<std::string> read_header_removes(const Scope& list, const HeaderNames& names) {
  std::vector<std::string> result;
  for (int i = 0; i < names.size(); ++i) {
    const Scope at = list.item(static_cast<std::size_t>(i));
    result.push_back(read_header_name(at, names[i]));
    check_editable(at, result.back());
  }
  return result;
}

}  // namespace remora::xds
