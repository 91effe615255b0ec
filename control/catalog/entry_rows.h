// The rows that every config entry's table has: kind, name, meta, and Consul's bookkeeping. Main thread.
#pragma once

#include <algorithm>
#include <array>

#include "control/catalog/fields.h"
#include "control/catalog/readers.h"

namespace remora::catalog {

template <typename Entry, auto Member>
constexpr FieldRow head_row(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits&) {
            read_value(at, static_cast<Entry*>(into)->head.*Member, Limits{});
          }};
}

template <typename Entry, std::size_t N>
constexpr auto entry_rows(const std::array<FieldRow, N>& own) {
  const std::array head = {ignored("kind"),
                           head_row<Entry, &EntryHead::name>("name"),
                           head_row<Entry, &EntryHead::meta>("meta"),
                           ignored("create_index"),
                           ignored("modify_index"),
                           ignored("hash"),
                           ignored("raft_index"),
                           ignored("status"),
                           refused("namespace", kNoNamespaces),
                           refused("partition", kNoPartitions)};
  std::array<FieldRow, head.size() + N> all{};
  std::copy(head.begin(), head.end(), all.begin());
  std::copy(own.begin(), own.end(), all.begin() + head.size());
  return all;
}

// Notes the place, and checks name and meta.
inline void settle_head(const At& at, EntryHead& head) {
  head.place = at.place();
  if (at.node().kind == config::YamlNode::Kind::mapping) {
    check_name(at, "name", "the name of a service", head.name);
    check_meta(at, head.meta);
  }
}

}  // namespace remora::catalog
