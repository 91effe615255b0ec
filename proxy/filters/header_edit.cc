#include "proxy/filters/header_edit.h"

#include <array>
#include <string>
#include <vector>

#include "proxy/filters/formatter.h"

namespace remora::proxy {
namespace {

using http::HeaderId;
using model::HeaderAdd;

// Headers of which Envoy keeps one, so that appending joins with a comma; others get a line more.
bool is_single(HeaderId id) {
  switch (id) {
    case HeaderId::accept:
    case HeaderId::accept_encoding:
    case HeaderId::authorization:
    case HeaderId::cache_control:
    case HeaderId::content_encoding:
    case HeaderId::content_type:
    case HeaderId::date:
    case HeaderId::etag:
    case HeaderId::expect:
    case HeaderId::location:
    case HeaderId::referer:
    case HeaderId::server:
    case HeaderId::te:
    case HeaderId::user_agent:
    case HeaderId::vary:
    case HeaderId::via:
    case HeaderId::x_forwarded_client_cert:
    case HeaderId::x_forwarded_for:
    case HeaderId::x_forwarded_host:
    case HeaderId::x_forwarded_port:
    case HeaderId::x_forwarded_proto:
    case HeaderId::x_request_id:
      return true;
    default:
      return false;
  }
}

void append(http::HeaderList& headers, std::string_view name, std::string_view value) {
  const HeaderId id = http::header_id(name);
  if (is_single(id)) {
    if (http::Header* header = headers.find(id); header != nullptr) {
      header->value = header->value.empty() ? value : headers.arena().concat(header->value, ",", value);
      return;
    }
  }
  headers.add({name, value, id});
}

// What one level adds. All values are made, and all conditions asked, before anything changes: so that %REQ(x)% means
// the header as it came to this level, and the order of lines is Envoy's.
void apply_adds(http::HeaderList& headers, const std::vector<HeaderAdd>& adds, const RequestInfo& info) {
  struct Change {
    const HeaderAdd* add;
    std::string_view value;
    bool overwrite;
  };
  auto* changes = headers.arena().make_array<Change>(adds.size());
  std::size_t count = 0;
  for (const HeaderAdd& add : adds) {
    const std::string_view value = format_header(add.value, info, headers.arena());
    if (value.empty() && !add.keep_empty_value) {
      continue;
    }
    using Action = HeaderAdd::Action;
    const bool conditional = add.action == Action::add_if_absent || add.action == Action::overwrite_if_exists;
    if (conditional && (headers.find(add.name) != nullptr) != (add.action == Action::overwrite_if_exists)) {
      continue;
    }
    const bool overwrite =
        add.action == Action::overwrite_if_exists || add.action == Action::overwrite_if_exists_or_add;
    changes[count++] = {&add, value, overwrite};
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (changes[i].overwrite) {
      headers.set(changes[i].add->name, changes[i].value);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!changes[i].overwrite) {
      append(headers, changes[i].add->name, changes[i].value);
    }
  }
}

void apply(http::HeaderList& headers, const std::vector<std::string>& removes, const std::vector<HeaderAdd>& adds,
           const RequestInfo& info) {
  for (const std::string& name : removes) {
    headers.remove(name);
  }
  if (!adds.empty()) {
    apply_adds(headers, adds, info);
  }
}

// Who edits, in order: the weighted cluster first, then from the most specific to the least, so that the least specific
// has the last word; unless the configuration turns that around.
std::array<const model::HeaderEdits*, 4> in_order(const HeaderEditSources& sources) {
  const model::HeaderEdits* route = sources.route == nullptr ? nullptr : &sources.route->edits;
  const model::HeaderEdits* host = sources.virtual_host == nullptr ? nullptr : &sources.virtual_host->edits;
  const model::HeaderEdits* routes = sources.routes == nullptr ? nullptr : &sources.routes->edits;
  if (sources.routes != nullptr && sources.routes->most_specific_header_mutations_wins) {
    std::swap(route, routes);
  }
  return {sources.weighted_cluster == nullptr ? nullptr : &sources.weighted_cluster->edits, route, host, routes};
}

}  // namespace

void edit_request_headers(http::HeaderList& headers, const HeaderEditSources& sources, const RequestInfo& info) {
  for (const model::HeaderEdits* edits : in_order(sources)) {
    if (edits != nullptr && !edits->empty()) {
      apply(headers, edits->request_remove, edits->request_add, info);
    }
  }
}

void edit_response_headers(http::HeaderList& headers, const HeaderEditSources& sources, const RequestInfo& info) {
  for (const model::HeaderEdits* edits : in_order(sources)) {
    if (edits != nullptr && !edits->empty()) {
      apply(headers, edits->response_remove, edits->response_add, info);
    }
  }
}

}  // namespace remora::proxy
