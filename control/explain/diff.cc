#include "control/explain/diff.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <map>
#include <set>

#include "control/explain/flatten.h"
#include "control/translate/translate.h"

namespace remora::explain {
namespace {

namespace pb = google::protobuf;
using translate::ByName;
using translate::Resources;

using ProxyKey = std::pair<std::string, std::string>;  // service, id

std::set<ProxyKey> proxies_of(const catalog::Catalog& catalog) {
  std::set<ProxyKey> result;
  for (const auto& [name, instances] : catalog.services) {
    for (const catalog::Service& one : *instances) {
      if (one.sidecar) {
        result.emplace(name, one.id);
      }
    }
  }
  return result;
}

std::vector<FieldChange> compare(const pb::Message& before, const pb::Message& after) {
  const Lines old_lines = flatten(before);
  const Lines new_lines = flatten(after);
  std::vector<FieldChange> result;
  for (const auto& [path, value] : old_lines) {
    const auto found = new_lines.find(path);
    if (found == new_lines.end()) {
      result.push_back({path, value, {}});
    } else if (found->second != value) {
      result.push_back({path, value, found->second});
    }
  }
  for (const auto& [path, value] : new_lines) {
    if (!old_lines.contains(path)) {
      result.push_back({path, {}, value});
    }
  }
  std::ranges::sort(result, {}, &FieldChange::path);
  return result;
}

void compare(const char* type, const ByName& before, const ByName& after, std::vector<ResourceChange>& to) {
  using Kind = ResourceChange::Kind;
  for (const auto& [name, message] : before) {
    const auto found = after.find(name);
    if (found == after.end()) {
      to.push_back({Kind::removed, type, name, {}});
    } else if (translate::bytes_of(*message) != translate::bytes_of(*found->second)) {
      to.push_back({Kind::changed, type, name, compare(*message, *found->second)});
    }
  }
  for (const auto& [name, message] : after) {
    if (!before.contains(name)) {
      to.push_back({Kind::added, type, name, {}});
    }
  }
}

std::vector<ResourceChange> compare(const Resources& before, const Resources& after) {
  std::vector<ResourceChange> result;
  compare("listener", before.listeners, after.listeners, result);
  compare("route configuration", before.routes, after.routes, result);
  compare("cluster", before.clusters, after.clusters, result);
  return result;
}

std::vector<std::string> new_problems(const Resources& before, const Resources& after) {
  std::vector<std::string> result;
  for (const translate::Problem& one : after.problems) {
    if (std::ranges::find(before.problems, one) == before.problems.end()) {
      const std::string place = one.place.to_string();
      result.push_back(fmt::format("{}{}{}", place, place.empty() ? "" : ": ", one.message));
    }
  }
  return result;
}

constexpr const char* kSigns[] = {"+", "-", "~"};
constexpr const char* kWords[] = {"added", "removed", "changed"};

template <typename Kind>
const char* sign(Kind kind) {
  return kSigns[static_cast<std::size_t>(kind)];
}
template <typename Kind>
const char* word(Kind kind) {
  return kWords[static_cast<std::size_t>(kind)];
}

}  // namespace

Diff diff(const catalog::Catalog& before, const catalog::Catalog& after) {
  const std::set<ProxyKey> old_ones = proxies_of(before);
  const std::set<ProxyKey> new_ones = proxies_of(after);
  std::set<ProxyKey> all = old_ones;
  all.insert(new_ones.begin(), new_ones.end());
  Diff result;
  result.proxies = all.size();
  for (const ProxyKey& key : all) {
    translate::ProxyIdentity identity;
    identity.service = key.first;
    identity.id = key.second;
    const bool was = old_ones.contains(key);
    const bool is = new_ones.contains(key);
    const Resources old_resources = was ? translate::translate(before, identity) : Resources{};
    const Resources new_resources = is ? translate::translate(after, identity) : Resources{};
    ProxyChange change;
    change.kind = !was ? ProxyChange::Kind::added : !is ? ProxyChange::Kind::removed : ProxyChange::Kind::changed;
    change.proxies.push_back(key.first == key.second ? key.first : fmt::format("{} ({})", key.first, key.second));
    change.resources = compare(old_resources, new_resources);
    change.problems = new_problems(old_resources, new_resources);
    if (was && is && change.resources.empty() && change.problems.empty()) {
      continue;
    }
    const auto same = std::ranges::find_if(result.changes, [&](const ProxyChange& other) {
      return other.kind == change.kind && other.resources == change.resources && other.problems == change.problems;
    });
    if (same == result.changes.end()) {
      result.changes.push_back(std::move(change));
    } else {
      same->proxies.push_back(change.proxies.front());
    }
  }
  return result;
}

std::string to_text(const Diff& diff) {
  std::string out;
  std::size_t touched = 0;
  for (const ProxyChange& change : diff.changes) {
    touched += change.proxies.size();
    out += fmt::format("{} {}\n", sign(change.kind), fmt::join(change.proxies, ", "));
    for (const ResourceChange& resource : change.resources) {
      out += fmt::format("  {} {} {}\n", sign(resource.kind), resource.type, resource.name);
      for (const FieldChange& field : resource.fields) {
        if (field.before.empty()) {
          out += fmt::format("      + {}: {}\n", field.path, field.after);
        } else if (field.after.empty()) {
          out += fmt::format("      - {}: {}\n", field.path, field.before);
        } else {
          out += fmt::format("      {}: {} → {}\n", field.path, field.before, field.after);
        }
      }
    }
    for (const std::string& problem : change.problems) {
      out += fmt::format("  ! {}\n", problem);
    }
  }
  return out + fmt::format("{} of {} {} would be told something new\n", touched, diff.proxies,
                           diff.proxies == 1 ? "proxy" : "proxies");
}

std::string to_json(const Diff& diff) {
  pb::Struct out;
  const auto set = [](pb::Struct& to, const char* name, const std::string& text) {
    (*to.mutable_fields())[name].set_string_value(text);
  };
  (*out.mutable_fields())["proxies"].set_number_value(static_cast<double>(diff.proxies));
  auto& changes = *(*out.mutable_fields())["changes"].mutable_list_value();
  for (const ProxyChange& change : diff.changes) {
    pb::Struct& one = *changes.add_values()->mutable_struct_value();
    set(one, "kind", word(change.kind));
    for (const std::string& name : change.proxies) {
      (*one.mutable_fields())["proxies"].mutable_list_value()->add_values()->set_string_value(name);
    }
    auto& resources = *(*one.mutable_fields())["resources"].mutable_list_value();
    for (const ResourceChange& resource : change.resources) {
      pb::Struct& inner = *resources.add_values()->mutable_struct_value();
      set(inner, "kind", word(resource.kind));
      set(inner, "type", resource.type);
      set(inner, "name", resource.name);
      auto& fields = *(*inner.mutable_fields())["fields"].mutable_list_value();
      for (const FieldChange& field : resource.fields) {
        pb::Struct& line = *fields.add_values()->mutable_struct_value();
        set(line, "path", field.path);
        set(line, "before", field.before);
        set(line, "after", field.after);
      }
    }
    auto& problems = *(*one.mutable_fields())["problems"].mutable_list_value();
    for (const std::string& problem : change.problems) {
      problems.add_values()->set_string_value(problem);
    }
  }
  return translate::json_of(out);
}

}  // namespace remora::explain
