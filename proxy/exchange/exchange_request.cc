// The request's half of Exchange: from its head to the cluster that it goes to, and its body.
#include <algorithm>
#include <charconv>

#include "proxy/exchange/exchange.h"
#include "proxy/exchange/forwarding.h"
#include "proxy/exchange/normalize_path.h"
#include "proxy/filters/header_edit.h"
#include "proxy/filters/request_id.h"
#include "proxy/filters/tracing.h"
#include "proxy/routing/rewrite.h"
#include "proxy/routing/split.h"

namespace remora::proxy {

using http::HeaderId;

void Exchange::begin(http::ServerStream& stream, http::RequestHead& head, bool end) {
  touch();
  stream_ = &stream;
  request_ = &head;
  info_.request = &head;
  info_.protocol = head.protocol;
  info_.original_path = head.path;
  info_.start_wall = worker_.wall();
  has_body_ = !end;
  listener_.series->requests_active.add(1);
  note_activity();
  if (listener_.draining) {
    stream_->close_after();
  }
  if (!admit_head() || !route_request()) {
    return;
  }
  start_attempt();
}

bool Exchange::admit_head() {
  const model::HttpConnectionManager& config = listener_.config->http();
  if (request_->path.find('#') != std::string_view::npos) {
    local_reply({.status = 400,
                 .details = "path_normalization_failed",
                 .reason = "bad_path",
                 .cause = "The request target holds a fragment ('#').",
                 .way_out = "Clients do not send fragments.",
                 .close = true});
    return false;
  }
  if (!normalize_head(config)) {
    return false;
  }
  strip_host_port(*request_, config, info_.connection->local.port());
  info_.original_authority = request_->authority;
  if (request_->expects_continue && config.proxy_100_continue) {
    request_->headers.add(HeaderId::expect, "100-continue");  // the upstream decides, and its word is passed on
  } else if (request_->expects_continue) {
    // As Envoy does, and before routing: the client waits with its body for this.
    auto* go_on = arena_.make<http::ResponseHead>(arena_);
    go_on->status = 100;
    stream_->send_informational(*go_on);
  }
  return true;
}

// The spelling of paths and header names, where the listener says which one it wants.
bool Exchange::normalize_head(const model::HttpConnectionManager& config) {
  using Underscores = model::HttpConnectionManager::Underscores;
  if (config.underscores != Underscores::allow) {
    const auto odd = [](const http::Header& header) { return header.name.find('_') != std::string_view::npos; };
    const std::size_t found = request_->headers.remove_if(odd);
    if (found > 0 && config.underscores == Underscores::reject_request) {
      local_reply({.status = 400,
                   .details = "http1.unexpected_underscore",
                   .reason = "underscore_in_header",
                   .body = "Bad Request",
                   .cause = "A header's name holds an underscore, which this listener rejects.",
                   .way_out = "See headers_with_underscores_action.",
                   .close = true});
      return false;
    }
  }
  if (config.normalize_path) {
    const auto path = normalize_path(request_->path, arena_);
    if (!path) {
      local_reply({.status = 400,
                   .details = "path_normalization_failed",
                   .reason = "bad_path",
                   .cause = "The path cannot be normalized.",
                   .way_out = "Clients do not send a NUL in a path.",
                   .close = true});
      return false;
    }
    request_->path = *path;
  }
  if (config.merge_slashes) {
    request_->path = merge_slashes(request_->path, arena_);
  }
  if (request_->authority.empty() && request_->protocol == http::Protocol::http10) {
    request_->authority = config.default_host_for_http_10;
  }
  return true;
}

// May this become a tunnel? What the route says of the type goes before what the listener says, as in Envoy.
bool Exchange::admit_tunnel(const model::Route* route) {
  const bool connect = request_->method_id == http::Method::connect;
  const std::string_view wanted = connect ? "connect" : request_->upgrade_protocol;
  bool allowed =
      std::ranges::find(listener_.config->http().upgrades, wanted) != listener_.config->http().upgrades.end();
  if (const auto* action = route == nullptr ? nullptr : std::get_if<model::RouteAction>(&route->action)) {
    for (const auto& [type, enabled] : action->upgrades) {
      allowed = type == wanted ? enabled : allowed;
    }
  }
  tunnel_ = allowed;
  if (allowed || route == nullptr) {  // without a route, that is what the answer says
    return true;
  }
  local_reply({.status = 403,
               .details = "upgrade_failed",
               .reason = connect ? "connect_not_configured" : "upgrade_not_configured",
               .cause = connect ? "CONNECT is not allowed here."
                                : "The client asks for an upgrade that this listener and route do not allow.",
               .evidence = wanted,
               .way_out = "Add it to the upgrade_configs of the listener or of the route.",
               .close = true});
  return false;
}

bool Exchange::route_request() {
  const model::HttpConnectionManager& config = listener_.config->http();
  const Origin origin = apply_forwarding(*request_, config, worker_.own_ip, info_);
  assign_request_id(*request_, config, origin.edge, worker_.random, info_);
  continue_or_begin_trace(*request_, config.tracing ? &*config.tracing : nullptr, worker_.random, info_);

  const std::uint64_t dice = worker_.random.next();
  const routing::Match match = routes_->match(*request_, dice);
  info_.virtual_host = match.virtual_host;
  info_.route = match.route;
  if (request_->upgrade && !admit_tunnel(match.route)) {
    return false;
  }
  if (match.route == nullptr) {
    const bool host = match.virtual_host != nullptr;
    local_reply(unrouted_reply(host, host ? request_->path : request_->authority));
    return false;
  }
  enter(State::routed);
  if (const auto* direct = std::get_if<model::DirectResponse>(&match.route->action)) {
    answer_directly(*direct);
    return false;
  }
  if (const auto* redirect = std::get_if<model::RedirectAction>(&match.route->action)) {
    answer_redirect(*redirect);
    return false;
  }
  const auto& action = std::get<model::RouteAction>(match.route->action);
  const routing::Destination destination = routing::split(action, *request_, dice);
  weighted_ = destination.weighted;
  upstream::ClusterState* cluster = listener_.clusters->find(destination.cluster);
  if (cluster == nullptr) {
    local_reply(unknown_cluster_reply(action.cluster_not_found_code, destination.cluster));
    return false;
  }
  cluster_ = cluster;
  cluster_config_ = cluster->pin();
  info_.cluster = &cluster->config();
  // Our own words go first: x-envoy-* headers of insiders may change timeouts and retries.
  retry_.emplace(action.retry ? &*action.retry : nullptr, *request_, origin.internal);
  hash_request(action);
  prepare_upstream_head(action);

  if (!cluster_->limits().try_acquire(upstream::ClusterLimits::Kind::requests)) {
    cluster_->series().overflows[metrics::Overflow::requests].add();
    local_reply(reply_for({.kind = FailureKind::overflow_requests}, info_, false, {}, arena_));
    return false;
  }
  holds_request_limit_ = true;
  cluster_->series().requests_active.add(1);
  start_timeouts();
  return true;
}

// Before anything is rewritten: by what the client said.
void Exchange::hash_request(const model::RouteAction& action) {
  if (action.hash_policies.empty() || !cluster_->picks_by_hash()) {
    return;
  }
  const ConnectionFacts& connection = *info_.connection;
  hash_ = routing::hash_request(
      action.hash_policies, *request_,
      {.client_ip = info_.downstream_remote_ip.empty() ? connection.remote_ip : info_.downstream_remote_ip,
       .remote = connection.remote_text,
       .local = connection.local_text});
}

void Exchange::prepare_upstream_head(const model::RouteAction& action) {
  const std::uint64_t listener_limit = listener_.config->per_connection_buffer_limit_bytes;
  buffer_limit_ =
      info_.route->per_request_buffer_limit_bytes > 0 ? info_.route->per_request_buffer_limit_bytes : listener_limit;
  timeout_ = retry_->request_timeout().value_or(action.timeout);
  idle_timeout_ = action.idle_timeout.value_or(listener_.config->http().stream_idle_timeout);
  keep_body_ = has_body_ && replayable() && !tunnel_;

  http::HeaderList& headers = request_->headers;
  const routing::RouteTable& table = *routes_;
  info_.attempts = 1;  // the first begins here: its headers may name it (%UPSTREAM_REQUEST_ATTEMPT_COUNT%)
  edit_request_headers(headers, {weighted_, info_.route, info_.virtual_host, &table.configuration()}, info_);
  if (const auto path = routing::rewrite_path(*info_.route, action, request_->path, arena_)) {
    if (headers.find(HeaderId::x_envoy_original_path) == nullptr && !listener_.config->http().suppress_envoy_headers) {
      headers.add(HeaderId::x_envoy_original_path, request_->path);
    }
    request_->path = *path;
  }
  if (const auto host = routing::rewrite_host(action, weighted_, *request_, {})) {
    if (action.append_x_forwarded_host) {
      headers.append(HeaderId::x_forwarded_host, request_->authority, ",");
    }
    const bool by_weighted = weighted_ != nullptr && !weighted_->host_rewrite_literal.empty();
    if (*host != request_->authority && !by_weighted && !listener_.config->http().suppress_envoy_headers) {
      headers.set("x-envoy-original-host", request_->authority);
    }
    request_->authority = *host;
  }
  if (!has_body_ && headers.find(HeaderId::content_length) == nullptr &&
      (request_->method_id == http::Method::post || request_->method_id == http::Method::put ||
       request_->method_id == http::Method::patch)) {
    headers.add(HeaderId::content_length, "0");
  }
}

void Exchange::start_timeouts() {
  Loop& loop = worker_.loop;
  if (!has_body_ && timeout_.count() > 0 && !tunnel_) {
    loop.arm(request_timer_, timeout_);
  }
  if (idle_timeout_.count() > 0) {
    loop.arm(idle_timer_, idle_timeout_);
  }
  if (has_body_ && !tunnel_ && listener_.config->http().request_timeout.count() > 0) {
    loop.arm(body_timer_, listener_.config->http().request_timeout);
  }
}

void Exchange::on_body(std::string_view data) {
  touch();
  note_activity();
  info_.bytes_received += data.size();
  if (state_ == State::ended || stream_ == nullptr || cluster_ == nullptr || (response_begun_ && !attempt_)) {
    return;  // answered already
  }
  const bool streaming = attempt_ && attempt_->streaming();
  if (streaming) {
    if (!keep_body_) {  // this part is not kept, so the others need not be
      body_.clear();
      body_lost_ = true;
    }
    attempt_->send_body(data, false);
    if (attempt_ && attempt_->upstream_full() && !body_paused_) {
      body_paused_ = true;
      owner_.pause_request();
    }
  }
  if (!streaming || keep_body_) {
    if (streaming && body_.size() + data.size() > buffer_limit_) {
      keep_body_ = false;  // too large to keep: what was sent cannot be sent again
      body_.clear();
      body_lost_ = true;
      return;
    }
    body_.append(data);
    if (body_.size() > buffer_limit_) {
      keep_body_ = false;
    }
    if (!streaming && body_.size() > std::min<std::uint64_t>(buffer_limit_, net::Connection::kHighMark) &&
        !body_paused_) {
      body_paused_ = true;
      owner_.pause_request();
    }
  }
}

void Exchange::on_trailers(http::HeaderList& trailers) {
  touch();
  request_trailers_ = &trailers;
}

void Exchange::on_request_end() {
  touch();
  note_activity();
  request_complete_ = true;
  info_.request_end = worker_.loop.now();
  body_timer_.cancel();
  if (cluster_ == nullptr || state_ == State::ended) {
    return;
  }
  if (has_body_ && timeout_.count() > 0 && !tunnel_ && !response_begun_) {
    worker_.loop.arm(request_timer_, timeout_);
  }
  if (has_body_ && attempt_ && attempt_->streaming()) {
    end_upstream_request();
  }
}

void Exchange::on_request_error(const http::ProtocolError& error) {
  touch();
  info_.flags |= flag::kDownstreamProtocolError;
  drop_attempt();
  if (!response_begun_ && stream_ != nullptr) {
    local_reply({.status = error.status,
                 .flags = flag::kDownstreamProtocolError,
                 .details = error.details,
                 .reason = error.status == 413 ? "body_too_large" : "bad_request_body",
                 .body = error.status == 413   ? "Payload Too Large"
                         : error.status == 431 ? "Request Header Fields Too Large"
                                               : "Bad Request",
                 .cause = error.cause,
                 .way_out = "The client's request is malformed; its connection is closed.",
                 .close = true});
    return;
  }
  cut_response();
}

void Exchange::reject(http::ServerStream& stream, int status, ResponseFlags flags, std::string_view details,
                      std::string_view reason, std::string_view cause) {
  touch();
  stream_ = &stream;
  info_.start_wall = worker_.wall();
  listener_.series->requests_active.add(1);
  std::string_view body = "Bad Request";
  switch (status) {
    case 408:
      body = details == "request_header_timeout" ? "request header timeout" : "request timeout";
      break;
    case 413:
      body = "Payload Too Large";
      break;
    case 417:
      body = "Expectation Failed";
      break;
    case 426:
      body = "Upgrade Required";
      break;
    case 431:
      body = "Request Header Fields Too Large";
      break;
    case 501:
      body = "Not Implemented";
      break;
    default:
      break;
  }
  local_reply({.status = status,
               .flags = flags,
               .details = details,
               .reason = reason,
               .body = body,
               .cause = cause,
               .way_out = "The client's request is at fault; its connection is closed.",
               .close = true});
}

}  // namespace remora::proxy
