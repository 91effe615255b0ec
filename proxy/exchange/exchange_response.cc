// The response's half of Exchange: answers of the upstream, and what the proxy answers by itself.
#include "proxy/exchange/exchange.h"
#include "proxy/filters/header_edit.h"
#include "proxy/filters/request_id.h"
#include "proxy/routing/rewrite.h"

namespace remora::proxy {

using http::HeaderId;

void Exchange::on_attempt_informational(http::ResponseHead& head) {
  touch();
  note_activity();
  // Without proxy_100_continue it was we who said 100, and nothing informational is passed on, as in Envoy.
  const bool known = head.status == 100 || head.status == 102 || head.status == 103;
  if (known && listener_.config->http().proxy_100_continue && stream_ != nullptr && !response_begun_) {
    stream_->send_informational(head);
  }
}

void Exchange::on_attempt_head(http::ResponseHead& head, bool end) {
  touch();
  note_activity();
  const MonotonicTime now = worker_.loop.now();
  info_.response_begin = now;
  upstream::EndpointState& endpoint = attempt_->endpoint();
  cluster_->report_response(endpoint, head.status, now, worker_.random);
  settle_admission(head.status >= 500 ? Outcome::failure : Outcome::success);
  (head.status >= 500 ? endpoint.cells().requests_error : endpoint.cells().requests_success).add();

  if (!response_begun_ && !tunnel_) {
    const RetryDecision decision = retry_->on_response(head.status, head.headers, worker_.random);
    if (decision.verdict == RetryVerdict::yes && try_again(decision)) {
      return;
    }
    if (decision.verdict == RetryVerdict::limit_exceeded) {
      info_.flags |= flag::kUpstreamRetryLimitExceeded;
      cluster_->series().retries_denied[metrics::RetryDenied::limit].add();
    } else if (decision.verdict == RetryVerdict::not_replayable) {
      cluster_->series().retries_denied[metrics::RetryDenied::not_replayable].add();
    }
    if (info_.attempts > 1 && head.status < 500) {
      cluster_->series().retries_succeeded.add();
    }
  }
  per_try_timer_.cancel();
  release_retry_limit();
  keep_body_ = false;
  if (request_complete_) {
    body_.clear();
  }
  forward_head(head, end);
}

void Exchange::forward_head(http::ResponseHead& head, bool end) {
  info_.response_code_details = "via_upstream";
  if (tunnel_ && !head.upgrade) {
    stream_->close_after();  // the client may already have sent bytes of the tunnel that will not be
  }
  if (!request_complete_ && has_body_ && !head.upgrade) {
    stream_->close_after();  // an early answer: the rest of the request is not wanted
  }
  const bool sent_whole = request_complete_ || !has_body_;  // else it would not say how long the service took
  if (!listener_.config->http().suppress_envoy_headers && sent_whole && !tunnel_) {
    const auto took = std::chrono::duration_cast<Milliseconds>(info_.response_begin - info_.upstream_begin);
    head.headers.set(HeaderId::x_envoy_upstream_service_time, arena_.decimal(static_cast<std::uint64_t>(took.count())));
  }
  if (hash_.new_cookie != nullptr) {
    head.headers.add(HeaderId::set_cookie,
                     routing::set_cookie_value(*hash_.new_cookie, hash_.new_cookie_value, arena_));
  }
  finish_response_head(head, /*upstream=*/true);
  if (head.upgrade) {
    request_timer_.cancel();
    request_complete_ = false;
  }
  stream_->send_head(head, end);
}

void Exchange::finish_response_head(http::ResponseHead& head, bool upstream) {
  const model::HttpConnectionManager& config = listener_.config->http();
  response_begun_ = true;
  if (worker_.health_check_failed && !head.upgrade) {
    stream_->close_after();
  }
  info_.response = &head;
  info_.response_code = head.status;
  if (upstream && info_.attempts > 0 && info_.virtual_host->include_attempt_count_in_response) {
    head.headers.set(HeaderId::x_envoy_attempt_count, arena_.decimal(info_.attempts));
  }
  if (info_.route != nullptr) {
    edit_response_headers(head.headers, {weighted_, info_.route, info_.virtual_host, &routes_->configuration()}, info_);
  }
  if (head.headers.find(HeaderId::date) == nullptr) {
    head.headers.add(HeaderId::date, arena_.copy(worker_.date));
  }
  switch (config.server_header) {
    case model::HttpConnectionManager::ServerHeader::overwrite:
      head.headers.set(HeaderId::server, config.server_name);
      break;
    case model::HttpConnectionManager::ServerHeader::append_if_absent:
      if (head.headers.find(HeaderId::server) == nullptr) {
        head.headers.add(HeaderId::server, config.server_name);
      }
      break;
    case model::HttpConnectionManager::ServerHeader::pass_through:
      break;
  }
  if (!config.via.empty()) {
    head.headers.append(HeaderId::via, config.via, ", ");
  }
  set_request_id_in_response(head, config, info_);
}

void Exchange::cut_response() {
  if (stream_ != nullptr) {
    stream_->reset();
  }
}

void Exchange::on_attempt_body(std::string_view data) {
  touch();
  note_activity();
  if (!response_begun_ || stream_ == nullptr) {
    return;
  }
  info_.bytes_sent += data.size();
  stream_->send_body(data, false);
  if (attempt_ && owner_.downstream_full() && !upstream_paused_) {
    upstream_paused_ = true;
    attempt_->pause_response();
  }
}

void Exchange::on_attempt_trailers(http::HeaderList& trailers) {
  touch();
  info_.response_trailers = &trailers;
}

void Exchange::on_attempt_end() {
  touch();
  info_.response_end = worker_.loop.now();
  request_timer_.cancel();
  attempt_.reset();
  if (stream_ == nullptr || state_ == State::ended) {
    return;
  }
  enter(State::responding);
  if (info_.response_trailers != nullptr && !info_.response_trailers->empty()) {
    stream_->send_trailers(*info_.response_trailers);
  } else {
    stream_->send_body({}, true);
  }
}

void Exchange::local_reply(LocalReply reply) {
  drop_attempt();
  request_timer_.cancel();
  info_.flags |= reply.flags;
  reply.flags = info_.flags;
  info_.response_code_details = reply.details;
  info_.reason = reply.reason;
  if (stream_ == nullptr) {
    return;
  }
  std::string_view body = reply.body;
  std::string_view type = "text/plain";
  const bool may_have_body = reply.status != 204;
  if (may_have_body && request_ != nullptr && accepts_json(*request_)) {
    body = render_json(reply, info_, arena_);
    type = "application/json";
  }
  auto* head = arena_.make<http::ResponseHead>(arena_);
  head->status = reply.status;
  if (may_have_body) {
    head->headers.add(HeaderId::content_length, arena_.decimal(body.size()));
  }
  if (!body.empty()) {
    head->headers.add(HeaderId::content_type, type);
  }
  if (reply.overloaded) {
    head->headers.add(HeaderId::x_envoy_overloaded, "true");
  }
  if (!reply.reason.empty()) {
    head->headers.add(HeaderId::x_remora_reason, reply.reason);
  }
  if (reply.close || listener_.draining || tunnel_) {
    stream_->close_after();
  }
  send_own(*head, body);
}

// A response that no upstream made.
void Exchange::send_own(http::ResponseHead& head, std::string_view body) {
  if (has_body_ && !request_complete_) {
    stream_->close_after();  // the rest of the request is not wanted
  }
  finish_response_head(head, /*upstream=*/false);
  const bool no_body = body.empty() || (request_ != nullptr && request_->method_id == http::Method::head);
  info_.bytes_sent += no_body ? 0 : body.size();
  enter(State::responding);
  stream_->send_head(head, no_body);
  if (!no_body && stream_ != nullptr) {
    stream_->send_body(body, true);
  }
}

void Exchange::answer_directly(const model::DirectResponse& response) {
  info_.response_code_details = "direct_response";
  auto* head = arena_.make<http::ResponseHead>(arena_);
  head->status = response.status;
  head->headers.add(HeaderId::content_length, arena_.decimal(response.body.size()));
  if (!response.body.empty()) {
    head->headers.add(HeaderId::content_type, "text/plain");
  }
  if (response.status == 201 || response.status / 100 == 3) {  // as Envoy: where the new thing is
    const std::string_view proto = request_->headers.value(HeaderId::x_forwarded_proto);
    head->headers.add(HeaderId::location, arena_.concat(proto.empty() ? "http" : proto, std::string_view("://"),
                                                        request_->authority, request_->path));
  }
  send_own(*head, response.body);
}

void Exchange::answer_redirect(const model::RedirectAction& redirect) {
  info_.response_code_details = "direct_response";
  auto* head = arena_.make<http::ResponseHead>(arena_);
  head->status = redirect.response_code;
  const std::string_view proto = request_->headers.value(HeaderId::x_forwarded_proto);
  head->headers.add(HeaderId::location, routing::redirect_location(*info_.route, redirect, *request_,
                                                                   proto.empty() ? "http" : proto, arena_));
  head->headers.add(HeaderId::content_length, "0");
  send_own(*head, {});
}

}  // namespace remora::proxy
