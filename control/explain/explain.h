// Explain: what would happen to one request of one service: which listener takes it, which route decides, where its
// shares go, who is there, on what terms. The route is found by the proxy's own route table, over the very resources
// that it would get, so that this cannot tell otherwise than the proxy does. A pure function; main thread.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "control/catalog/catalog.h"
#include "core/base/result.h"

namespace remora::explain {

struct Question {
  std::string from;     // the calling service
  std::string from_id;  // of its instance; empty: the first one
  std::string method = "GET";
  std::string host;  // "api", or "127.0.0.1:9191": an upstream by its name or its local address
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
};

// "http://api/v2/orders", "api/v2", "tcp://db" into host and path. An error says what was expected.
Result<void> set_url(Question& question, const std::string& url);
// "x-user: a"
Result<void> add_header(Question& question, const std::string& line);

struct Who {
  std::string id;
  std::string address;  // with its port
  std::string state;    // "passing", "critical"; "checked by the proxy"; empty: nobody checks it
};

struct Group {
  std::string target;  // "api/v2"
  std::string filter;  // its subset's
  std::vector<Who> endpoints;
  catalog::Place place;  // of the subset, or of the failover
};

struct Share {
  double percent = 100;
  std::string cluster;
  std::string service;           // whose instances they are
  std::vector<std::string> way;  // "split 90 % (mesh.yaml:9)", "redirect to api/v1 (mesh.yaml:12)"
  Group group;
  std::vector<Group> failover;  // in order
  std::string balancer;
  std::string connect_timeout;
};

struct Fact {
  std::string text;
  catalog::Place place;  // what decided; empty: a default
};

struct Explanation {
  std::string request;   // "GET http://api/v2/orders"
  std::string protocol;  // tcp, http, …
  std::string blocked;   // why nothing would be called; empty: all is well
  std::vector<std::string> notes;
  Fact listener;                         // "outbound/api on 127.0.0.1:9191"
  Fact route;                            // "api:/v2*"; empty for tcp
  std::string route_entry;               // "service-router/api routes[0]"; empty: the service itself
  std::vector<std::string> passed_over;  // routes before it that do not match
  std::string sent_path;                 // when a rewrite changes it
  std::vector<Share> shares;
  Fact timeout;
  Fact retries;
  std::vector<Fact> intentions;  // of each service that a share ends at
};

Explanation explain(const catalog::Catalog& catalog, const Question& question);

std::string to_text(const Explanation& explanation);
std::string to_json(const Explanation& explanation);

}  // namespace remora::explain
