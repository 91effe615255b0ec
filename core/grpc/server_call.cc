// The server's half of a call.
#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "core/grpc/call.h"
#include "core/grpc/link.h"
#include "core/grpc/server.h"
#include "core/grpc/wire.h"

namespace remora::grpc {

using http::Http2Error;
using http::Http2Pull;

namespace {

// What a request's headers say.
struct Request {
  std::string_view method;
  std::string_view path;
  std::string_view authority;
  std::string_view content_type;
  std::string_view encoding;
  std::string_view timeout;
  Metadata metadata;
};

Request read_request(http::Http2Headers headers) {
  Request request;
  for (const http::Http2Header& header : headers) {
    if (header.name == ":method") {
      request.method = header.value;
    } else if (header.name == ":path") {
      request.path = header.value;
    } else if (header.name == ":authority") {
      request.authority = header.value;
    } else if (header.name == "content-type") {
      request.content_type = header.value;
    } else if (header.name == "grpc-encoding") {
      request.encoding = header.value;
    } else if (header.name == "grpc-timeout") {
      request.timeout = header.value;
    } else if (!is_reserved(header.name)) {
      auto decoded = is_binary(header.name) ? base64_decode(header.value) : std::nullopt;
      request.metadata.emplace_back(header.name, decoded ? std::move(*decoded) : std::string(header.value));
    }
  }
  return request;
}

}  // namespace

ServerHalf::ServerHalf(Link& link, http::Http2StreamId id, std::size_t max_message_bytes, const Find& find)
    : CallHalf(link, id, max_message_bytes), find_(find) {}

void ServerHalf::on_headers(http::Http2Headers headers, bool) {
  if (over_ || accepted_) {
    return;  // trailers: gRPC's clients have none
  }
  Request request = read_request(headers);
  if (request.method != "POST") {
    refuse_http("405", "gRPC is spoken by POST");
    return;
  }
  if (!is_grpc_content_type(request.content_type)) {
    refuse_http("415", "content-type must be application/grpc");
    return;
  }
  if (!request.encoding.empty() && request.encoding != "identity") {
    finish({Code::unimplemented, fmt::format("grpc-encoding '{}' is not known here: send identity", request.encoding)});
    return;
  }
  std::optional<Nanoseconds> timeout;
  if (!request.timeout.empty()) {
    timeout = parse_timeout(request.timeout);
    if (!timeout) {
      finish(
          {Code::internal, fmt::format("grpc-timeout '{}' is not up to 8 digits and one of HMSmun", request.timeout)});
      return;
    }
  }
  const Accept* accept = find_(request.path);
  if (accept == nullptr) {
    finish({Code::unimplemented, fmt::format("there is no method {}", request.path)});
    return;
  }
  const Address peer = link_.peer_address();
  const Call call{request.path, request.metadata, request.authority, peer, timeout};
  in_handler_ = true;
  StreamEvents* events = (*accept)(call, make_handle());
  in_handler_ = false;
  if (over_) {
    return;  // it was refused with words, or answered at once
  }
  if (events == nullptr || handle_ == nullptr) {
    finish({Code::unimplemented, fmt::format("{} was refused", request.path)});
    return;
  }
  events_ = events;
  respond();
  if (timeout) {
    start_deadline(*timeout);
  }
}

// The response's headers; messages and trailers follow.
void ServerHalf::respond() {
  if (accepted_ || http2_closed_) {
    return;
  }
  accepted_ = true;
  const std::array<http::Http2Header, 3> headers = {
      {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-accept-encoding", "identity"}}};
  link_.session().submit_response(id_, headers, true);
  link_.schedule_flush();
}

void ServerHalf::refuse_http(std::string_view http_status, std::string_view words) {
  over_ = wrote_all_ = true;
  const std::string message = percent_encode(words);
  const std::array<http::Http2Header, 4> headers = {{{":status", http_status},
                                                     {"content-type", "application/grpc"},
                                                     {"grpc-status", "2"},
                                                     {"grpc-message", message}}};
  link_.session().submit_response(id_, headers, false);
  link_.schedule_flush();
}

void ServerHalf::send_trailers(const Status& status, bool alone) {
  const std::string code = std::to_string(static_cast<unsigned>(status.code));
  const std::string message = percent_encode(status.message);
  std::vector<http::Http2Header> headers;
  if (alone) {
    headers = {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-accept-encoding", "identity"}};
  }
  headers.push_back({"grpc-status", code});
  if (!message.empty()) {
    headers.push_back({"grpc-message", message});
  }
  if (alone) {
    link_.session().submit_response(id_, headers, false);
  } else {
    link_.session().submit_trailers(id_, headers);
  }
}

void ServerHalf::finish(const Status& status) {
  if (over_) {
    return;
  }
  over_ = wrote_all_ = true;
  events_ = nullptr;
  deadline_.cancel();
  if (http2_closed_) {
    return;
  }
  if (!accepted_ && queued_bytes() == 0) {
    send_trailers(status, true);
    link_.schedule_flush();
    return;
  }
  respond();  // a handler that answered and finished at once
  status_ = status;
  wake();
}

Http2Pull::Then ServerHalf::at_queue_end() {
  if (!status_) {
    return Http2Pull::Then::wait;
  }
  send_trailers(*std::exchange(status_, std::nullopt), false);
  return Http2Pull::Then::trailers;
}

void ServerHalf::on_released() {
  if (!over_ && !in_handler_) {
    reset(Http2Error::cancel);
  }
}

void ServerHalf::on_end() {
  peer_ended_ = true;
  if (over_ || events_ == nullptr) {
    return;
  }
  if (!in_.at_boundary()) {
    on_bad_message({Code::internal, "the stream ended in the middle of a message"});
    return;
  }
  events_->on_half_closed();
}

// All has been said: a client that would go on talking need not.
void ServerHalf::on_end_sent() {
  if (!peer_ended_) {
    reset(Http2Error::no_error);
  }
}

// The status first: the user may drop its stream when it hears of the end.
void ServerHalf::end_by_us(const Status& status) {
  StreamEvents* events = std::exchange(events_, nullptr);
  finish(status);
  if (events != nullptr) {
    events->on_closed(status);
  }
}

void ServerHalf::on_bad_message(const Status& status) { end_by_us(status); }

void ServerHalf::on_deadline() { end_by_us({Code::deadline_exceeded, "the client's deadline has passed"}); }

}  // namespace remora::grpc
