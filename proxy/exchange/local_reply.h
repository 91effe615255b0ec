// LocalReply: what the proxy answers by itself, and why: the only place where failures become HTTP. Bodies are Envoy's
// words; who accepts JSON gets cause, evidence and way out instead. Values; worker thread.
// Source: Envoy's local replies and response code details; docs/failures.md.
#pragma once

#include <string_view>

#include "core/base/arena.h"
#include "proxy/exchange/failure.h"
#include "proxy/info/request_info.h"
#include "proxy/info/response_flags.h"

namespace remora::proxy {

struct LocalReply {
  int status = 503;
  ResponseFlags flags = 0;
  std::string_view details = {};   // Envoy's response code details
  std::string_view reason = {};    // x-remora-reason: one word of ours; empty for what the configuration itself answers
  std::string_view body = {};      // Envoy's text; may be empty
  std::string_view cause = {};     // for people, one sentence
  std::string_view evidence = {};  // what we saw: endpoint, errno, times
  std::string_view way_out = {};   // what to look at or change
  bool close = false;              // the connection closes after it
  bool overloaded = false;         // x-envoy-overloaded
};

// The story of a failed request. `retried`: attempts were made before the last one; `note`: why it was not tried again.
LocalReply reply_for(const Failure& failure, const RequestInfo& info, bool retried, std::string_view note,
                     Arena& arena);

// No virtual host has the request's authority, or none of its routes takes it. `evidence`: the authority, or the path.
LocalReply unrouted_reply(bool has_virtual_host, std::string_view evidence);
// The route names a cluster that is not there. `status`: cluster_not_found_response_code.
LocalReply unknown_cluster_reply(int status, std::string_view cluster);

// The body as JSON.
std::string_view render_json(const LocalReply& reply, const RequestInfo& info, Arena& arena);

// Does the client prefer JSON to text? True when Accept names application/json.
bool accepts_json(const http::RequestHead& head);

}  // namespace remora::proxy
