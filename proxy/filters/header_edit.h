// Header edit: headers that routes, virtual hosts and route configurations add to and remove from requests and
// responses. Stateless; worker thread. Source: Envoy "Custom request/response headers".
#pragma once

#include "core/http/message.h"
#include "proxy/info/request_info.h"
#include "proxy/model/route.h"

namespace remora::proxy {

// Who may edit an exchange's headers; each may be null.
struct HeaderEditSources {
  const model::WeightedCluster* weighted_cluster = nullptr;
  const model::Route* route = nullptr;
  const model::VirtualHost* virtual_host = nullptr;
  const model::RouteConfiguration* routes = nullptr;
};

// Values that must be computed are allocated in the list's arena; literals name the snapshot's text, which the exchange
// pins. At each level what is removed goes first; then what overwrites, then what appends.
void edit_request_headers(http::HeaderList& headers, const HeaderEditSources& sources, const RequestInfo& info);
void edit_response_headers(http::HeaderList& headers, const HeaderEditSources& sources, const RequestInfo& info);

}  // namespace remora::proxy
