#include "proxy/exchange/exchange.h"

#include <charconv>

#include "proxy/exchange/forwarding.h"
#include "proxy/exchange/normalize_path.h"
#include "proxy/filters/header_edit.h"
#include "proxy/filters/request_id.h"
#include "proxy/filters/tracing.h"
#include "proxy/routing/rewrite.h"
#include "proxy/routing/split.h"

namespace remora::proxy {

using http::HeaderId;

// ---- birth and death

Exchange* Exchange::create(WorkerContext& worker, ListenerContext& listener, ExchangeOwner& owner,
                           const ConnectionFacts& connection) {
  static_assert(sizeof(Exchange) + 512 <= BlockPool::kBlockSize, "an exchange and a small head share one block");
  void* block = worker.blocks.take();
  auto* exchange = new (block) Exchange(worker, listener, owner, connection);
  exchange->arena_.lend(exchange + 1, static_cast<char*>(block) + BlockPool::kBlockSize);
  return exchange;
}

void Exchange::destroy(Exchange* exchange) {
  BlockPool& blocks = exchange->worker_.blocks;
  exchange->~Exchange();
  blocks.give(exchange);
}

Exchange::Exchange(WorkerContext& worker, ListenerContext& listener, ExchangeOwner& owner,
                   const ConnectionFacts& connection)
    : arena_(worker.blocks),
      worker_(worker),
      listener_(listener),
      owner_(owner),
      routes_(listener.routes),
      body_(worker.blocks) {
  info_.connection = &connection;
  info_.start = worker.loop.now();
  request_timer_.bind<&Exchange::on_request_timeout>(this);
  per_try_timer_.bind<&Exchange::on_per_try_timeout>(this);
  idle_timer_.bind<&Exchange::on_idle_timeout>(this);
  body_timer_.bind<&Exchange::on_request_body_timeout>(this);
  backoff_timer_.bind<&Exchange::on_backoff_over>(this);
}

Exchange::~Exchange() { release_limits(); }

// Everything that an exchange does begins here: the turn's cost will be its own.
void Exchange::touch() {
  if (!touched) {
    touched = true;
    next_touched = worker_.touched;
    worker_.touched = this;
    worker_.loop.at_turn_over(worker_.account_task);
  }
}

void Exchange::settle(MonotonicTime turn_end) {
  touched = false;
  info_.own += turn_end - worker_.loop.now();
  if (state_ == State::ended) {
    record();
    destroy(this);
  }
}

void Exchange::note_activity() { last_activity_ = worker_.loop.now(); }

// ---- the request

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
  if (worker_.draining) {
    stream_->close_after();
  }
  if (!admit_head() || !route_request()) {
    return;
  }
  start_attempt();
}

bool Exchange::admit_head() {
  const model::HttpConnectionManager& config = listener_.config->http;
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
  if (request_->upgrade) {
    const std::string_view wanted =
        request_->method_id == http::Method::connect ? "connect" : request_->upgrade_protocol;
    bool known = false;
    for (const std::string& type : config.upgrades) {
      known = known || type == wanted;
    }
    if (!known && request_->method_id != http::Method::connect) {
      local_reply({.status = 403,
                   .details = "upgrade_failed",
                   .reason = "upgrade_not_configured",
                   .cause = "The client asks for an upgrade that this listener does not allow.",
                   .way_out = "Add it to the listener's upgrade_configs.",
                   .close = true});
      return false;
    }
    if (!known) {
      local_reply({.status = 404,
                   .flags = flag::kNoRouteFound,
                   .details = "route_not_found",
                   .reason = "connect_not_configured",
                   .cause = "CONNECT is not allowed here.",
                   .way_out = "Add CONNECT to the listener's upgrade_configs, and a route with connect_matcher.",
                   .close = true});
      return false;
    }
    tunnel_ = true;
  }
  if (request_->expects_continue) {
    // As Envoy does, and before routing: the client waits with its body for this.
    auto* go_on =
        new (arena_.allocate(sizeof(http::ResponseHead), alignof(http::ResponseHead))) http::ResponseHead(arena_);
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

bool Exchange::route_request() {
  const model::HttpConnectionManager& config = listener_.config->http;
  const Origin origin = apply_forwarding(*request_, config, worker_.own_ip, info_);
  assign_request_id(*request_, config, origin.edge, worker_.random, info_);
  continue_or_begin_trace(*request_, config.tracing ? &*config.tracing : nullptr, worker_.random, info_);

  const std::uint64_t dice = worker_.random.next();
  const routing::Match match = routes_->match(*request_, dice);
  info_.virtual_host = match.virtual_host;
  info_.route = match.route;
  if (match.route == nullptr) {
    local_reply({.status = 404,
                 .flags = flag::kNoRouteFound,
                 .details = "route_not_found",
                 .reason = match.virtual_host == nullptr ? "no_virtual_host" : "no_route",
                 .cause = match.virtual_host == nullptr ? "No virtual host has this authority among its domains."
                                                        : "No route of the virtual host matches this request.",
                 .evidence = match.virtual_host == nullptr ? request_->authority : request_->path,
                 .way_out = "See the listener's routes in /config_dump on the admin port."});
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
  const auto cluster = worker_.clusters.find(destination.cluster);
  if (cluster == worker_.clusters.end()) {
    local_reply({.status = action.cluster_not_found_code,
                 .flags = flag::kNoClusterFound,
                 .details = "cluster_not_found",
                 .reason = "no_cluster",
                 .cause = "The route names a cluster that does not exist.",
                 .evidence = destination.cluster,
                 .way_out = "See /clusters on the admin port for those that do."});
    return false;
  }
  cluster_ = cluster->second;
  info_.cluster = &cluster_->config();
  // Our own words go first: x-envoy-* headers of insiders may change timeouts and retries.
  retry_.emplace(action.retry ? &*action.retry : nullptr, *request_, origin.internal);
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

void Exchange::prepare_upstream_head(const model::RouteAction& action) {
  const std::uint64_t listener_limit = listener_.config->per_connection_buffer_limit_bytes;
  buffer_limit_ =
      info_.route->per_request_buffer_limit_bytes > 0 ? info_.route->per_request_buffer_limit_bytes : listener_limit;
  timeout_ = retry_->request_timeout().value_or(action.timeout);
  idle_timeout_ = action.idle_timeout.value_or(listener_.config->http.stream_idle_timeout);
  keep_body_ = has_body_ && replayable() && !tunnel_;

  http::HeaderList& headers = request_->headers;
  const routing::RouteTable& table = *routes_;
  info_.attempts = 1;  // of headers' %UPSTREAM_REQUEST_ATTEMPT_COUNT%: they are made once, for the first attempt
  edit_request_headers(headers, {weighted_, info_.route, info_.virtual_host, &table.configuration()}, info_);
  info_.attempts = 0;
  if (const auto path = routing::rewrite_path(*info_.route, action, request_->path, arena_)) {
    if (headers.find(HeaderId::x_envoy_original_path) == nullptr && !listener_.config->http.suppress_envoy_headers) {
      headers.add(HeaderId::x_envoy_original_path, request_->path);
    }
    request_->path = *path;
  }
  if (const auto host = routing::rewrite_host(action, weighted_, *request_, {})) {
    if (action.append_x_forwarded_host) {
      const std::string_view before = headers.value(HeaderId::x_forwarded_host);
      headers.set(HeaderId::x_forwarded_host, before.empty()
                                                  ? request_->authority
                                                  : arena_.concat(before, std::string_view(","), request_->authority));
    }
    const bool by_weighted = weighted_ != nullptr && !weighted_->host_rewrite_literal.empty();
    if (*host != request_->authority && !by_weighted && !listener_.config->http.suppress_envoy_headers) {
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
  if (has_body_ && !tunnel_ && listener_.config->http.request_timeout.count() > 0) {
    loop.arm(body_timer_, listener_.config->http.request_timeout);
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
    info_.upstream_sent = worker_.loop.now();
    if (request_trailers_ != nullptr) {
      attempt_->send_trailers(*request_trailers_);
    } else {
      attempt_->send_body({}, true);
    }
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

// ---- attempts

bool Exchange::replayable() const { return retry_ && retry_->replayable(); }

void Exchange::start_attempt() {
  const MonotonicTime now = worker_.loop.now();
  admission_ = cluster_->breaker().admit(now);
  if (!admission_.admitted()) {
    cluster_->series().overflows[metrics::Overflow::breaker_open].add();
    fail_request({.kind = FailureKind::breaker_open}, RetryVerdict::no);
    return;
  }
  breaker_pending_ = true;
  upstream::EndpointState* endpoint = cluster_->pick(worker_.random, retry_->tried(), retry_->more_choices());
  if (endpoint == nullptr) {
    fail_request({.kind = FailureKind::no_healthy_endpoint}, RetryVerdict::no);
    return;
  }
  retry_->note_attempt(*endpoint);
  ++info_.attempts;
  cluster_->series().attempts.add();
  info_.endpoint = endpoint->config;
  info_.upstream_host_text = endpoint->shared->text;
  enter(State::dispatched);

  http::HeaderList& headers = request_->headers;
  if (!listener_.config->http.suppress_envoy_headers && timeout_.count() > 0) {
    Milliseconds left = timeout_;
    if (info_.attempts > 1 && request_complete_) {
      const MonotonicTime from = has_body_ ? info_.request_end : info_.start;
      left -= std::chrono::duration_cast<Milliseconds>(now - from);
    }
    const Milliseconds per_try = retry_->per_try_timeout(timeout_);
    if (per_try.count() > 0 && per_try < left) {
      left = per_try;
    }
    char* text = arena_.make_array<char>(20);
    const auto end = std::to_chars(text, text + 20, std::max<std::int64_t>(left.count(), 1)).ptr;
    headers.set(HeaderId::x_envoy_expected_rq_timeout_ms, {text, static_cast<std::size_t>(end - text)});
  }
  if (info_.virtual_host->include_request_attempt_count) {
    char* text = arena_.make_array<char>(10);
    const auto end = std::to_chars(text, text + 10, info_.attempts).ptr;
    headers.set(HeaderId::x_envoy_attempt_count, {text, static_cast<std::size_t>(end - text)});
  }
  if (retry_->per_try_timeout(timeout_).count() > 0 && !tunnel_) {
    worker_.loop.arm(per_try_timer_, retry_->per_try_timeout(timeout_));
  }

  http::BodyLength length;
  if (has_body_) {
    const http::Header* known = headers.find(HeaderId::content_length);
    length.kind = known == nullptr ? http::BodyLength::Kind::chunked : http::BodyLength::Kind::known;
    if (known != nullptr) {
      std::from_chars(known->value.data(), known->value.data() + known->value.size(), length.length);
    }
  }
  attempt_.emplace(arena_, *this, *endpoint, *request_, length);
  if (auto started = attempt_->start(); !started) {
    cluster_->series().overflows[metrics::Overflow::pending_requests].add();
    on_attempt_failed(started.error());
  }
}

void Exchange::on_attempt_ready() {
  touch();
  info_.upstream_begin = worker_.loop.now();
  if (!listener_.config->http.access_logs.empty()) {
    info_.upstream_local_text = arena_.copy(attempt_->local_text());
  }
  send_buffered_request();
}

void Exchange::send_buffered_request() {
  if (!has_body_) {
    info_.upstream_sent = worker_.loop.now();
    return;
  }
  body_.for_each([this](std::string_view part) { attempt_->send_body(part, false); });
  if (!keep_body_) {
    body_.clear();
  }
  if (request_complete_) {
    info_.upstream_sent = worker_.loop.now();
    if (request_trailers_ != nullptr) {
      attempt_->send_trailers(*request_trailers_);
    } else {
      attempt_->send_body({}, true);
    }
  } else if (body_paused_ && !attempt_->upstream_full()) {
    body_paused_ = false;
    owner_.resume_request();
  }
}

void Exchange::on_attempt_drained() {
  if (body_paused_) {
    body_paused_ = false;
    owner_.resume_request();
  }
}

void Exchange::drop_attempt() {
  per_try_timer_.cancel();
  backoff_timer_.cancel();
  attempt_.reset();
}

// ---- timeouts

void Exchange::on_request_timeout() {
  touch();
  if (attempt_ || state_ == State::backing_off) {
    if (attempt_) {
      attempt_->endpoint().cells.requests_timeout.add();
      cluster_->report_local_failure(attempt_->endpoint(), true, worker_.loop.now(), worker_.random);
    }
    cluster_->series().timeouts[metrics::UpstreamTimeout::request].add();
    const bool begun = response_begun_;
    drop_attempt();
    if (begun) {
      info_.flags |= flag::kUpstreamRequestTimeout;
      info_.response_code_details = "response_timeout";
      cut_response();
      return;
    }
    fail_request({.kind = FailureKind::request_timeout}, RetryVerdict::no);
  }
}

void Exchange::on_per_try_timeout() {
  touch();
  if (!attempt_ || response_begun_) {
    return;
  }
  cluster_->series().timeouts[metrics::UpstreamTimeout::per_try].add();
  attempt_->endpoint().cells.requests_timeout.add();
  const Failure failure{.kind = FailureKind::per_try_timeout, .head_written = attempt_->head_written()};
  on_attempt_failed(failure);
}

void Exchange::on_idle_timeout() {
  const MonotonicTime due = last_activity_ + idle_timeout_;
  if (due > worker_.loop.now()) {
    worker_.loop.timers().arm(idle_timer_, due);
    return;
  }
  touch();
  drop_attempt();
  info_.flags |= flag::kStreamIdleTimeout;
  if (response_begun_) {
    info_.response_code_details = "stream_idle_timeout";
    cut_response();
    return;
  }
  local_reply({.status = request_complete_ || !has_body_ ? 504 : 408,
               .flags = flag::kStreamIdleTimeout,
               .details = "stream_idle_timeout",
               .reason = "stream_idle_timeout",
               .body = "stream timeout",
               .cause = "Nothing moved on this request for the idle timeout.",
               .way_out = "Raise stream_idle_timeout or the route's idle_timeout if such pauses are normal."});
}

void Exchange::on_request_body_timeout() {
  touch();
  drop_attempt();
  if (response_begun_) {
    cut_response();
    return;
  }
  local_reply({.status = 408,
               .details = "request_overall_timeout",
               .reason = "request_body_timeout",
               .body = "request timeout",
               .cause = "The request did not arrive whole within request_timeout.",
               .way_out = "A slow client or network; raise request_timeout if that is normal.",
               .close = true});
}

// ---- ends

void Exchange::on_downstream_drained() {
  if (upstream_paused_ && attempt_) {
    upstream_paused_ = false;
    attempt_->resume_response();
  }
}

void Exchange::on_downstream_gone() {
  touch();
  if (state_ == State::ended) {
    return;
  }
  if (attempt_ || !response_begun_) {
    info_.flags |= flag::kDownstreamConnectionTermination;
    if (info_.response_code_details.empty() || info_.response_code_details == "via_upstream") {
      info_.response_code_details = "downstream_remote_disconnect";
    }
  }
  drop_attempt();
  on_stream_done();
}

void Exchange::on_stream_done() {
  touch();
  if (state_ == State::ended) {
    return;
  }
  drop_attempt();
  request_timer_.cancel();
  idle_timer_.cancel();
  body_timer_.cancel();
  release_limits();
  if (stream_ != nullptr) {
    listener_.series->requests_active.add(-1);
  }
  stream_ = nullptr;
  info_.end = worker_.loop.now();
  enter(State::ended);
}

void Exchange::release_limits() {
  if (holds_request_limit_) {
    holds_request_limit_ = false;
    cluster_->limits().release(upstream::ClusterLimits::Kind::requests);
    cluster_->series().requests_active.add(-1);
  }
  if (holds_retry_limit_) {
    holds_retry_limit_ = false;
    cluster_->limits().release(upstream::ClusterLimits::Kind::retries);
  }
  if (breaker_pending_) {
    breaker_pending_ = false;
    cluster_->breaker().abandon(admission_);
  }
}

void Exchange::record() {
  if (info_.response_code == 0 && info_.flags == 0 && info_.request == nullptr) {
    return;  // a connection that ended before a request began
  }
  metrics::RequestSeries* series = listener_.unrouted;
  if (info_.route != nullptr) {
    ListenerContext::RouteSeries& slot = listener_.route_series[info_.route->index];
    if (slot.series == nullptr || slot.cluster != info_.cluster) [[unlikely]] {
      slot.cluster = info_.cluster;
      slot.series = worker_.metrics.requests(listener_.config->service, info_.route->label,
                                             info_.cluster == nullptr ? "" : info_.cluster->alt_stat_name);
    }
    series = slot.series;
  }
  Nanoseconds upstream(-1);
  if (info_.response_begin.time_since_epoch().count() != 0) {
    const MonotonicTime until =
        info_.response_end.time_since_epoch().count() != 0 ? info_.response_end : info_.response_begin;
    upstream = until - info_.upstream_begin;
  }
  series->record(info_.response_code, info_.flags, info_.end - info_.start, upstream, info_.own, info_.bytes_received,
                 info_.bytes_sent);
  if (worker_.access_log != nullptr) {
    for (const model::AccessLog& log : listener_.config->http.access_logs) {
      worker_.access_log->log(log, info_, worker_.random);
    }
  }
}

}  // namespace remora::proxy
