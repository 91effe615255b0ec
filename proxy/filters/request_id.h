// Request id: the x-request-id that ties a request's log lines together across services. Stateless; worker thread.
// Source: Envoy HttpConnectionManager.generate_request_id, preserve_external_request_id.
#pragma once

#include <span>

#include "core/base/random.h"
#include "core/http/message.h"
#include "proxy/info/request_info.h"
#include "proxy/model/listener.h"

namespace remora::proxy {

// Keeps or sets x-request-id, and fills RequestInfo::request_id. `edge_request`: it came from outside, which is to say
// that use_remote_address is on and the client's address is not a private one; its id is replaced, unless the
// configuration preserves it.
void assign_request_id(http::RequestHead& head, const model::HttpConnectionManager& http, bool edge_request,
                       Random& random, RequestInfo& info);

// For responses, when always_set_request_id_in_response says so.
void set_request_id_in_response(http::ResponseHead& head, const model::HttpConnectionManager& http,
                                const RequestInfo& info);

void write_uuid_v4(Random& random, std::span<char, 36> out);

}  // namespace remora::proxy
