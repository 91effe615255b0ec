// The client's half of a call.
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "core/grpc/call.h"
#include "core/grpc/link.h"
#include "core/grpc/wire.h"

namespace remora::grpc {

using http::Http2Error;
using http::Http2Pull;

ClientHalf::ClientHalf(Link& link, http::Http2StreamId id, std::size_t max_message_bytes, StreamEvents& events,
                       std::optional<Nanoseconds> timeout)
    : CallHalf(link, id, max_message_bytes) {
  events_ = &events;
  if (timeout) {
    start_deadline(*timeout);
  }
}

void ClientHalf::on_headers(http::Http2Headers headers, bool end) {
  if (!responded_) {
    read_response(headers);
  }
  if (!end) {
    return;
  }
  std::optional<Code> code;
  std::string message;
  for (const http::Http2Header& header : headers) {
    if (header.name == "grpc-status") {
      code = parse_code(header.value);
    } else if (header.name == "grpc-message") {
      message = percent_decode(header.value);
    }
  }
  if (code) {
    trailers_ = Status{*code, std::move(message)};
  }
}

void ClientHalf::read_response(http::Http2Headers headers) {
  int status = 0;
  std::string_view content_type;
  std::string_view encoding;
  for (const http::Http2Header& header : headers) {
    if (header.name == ":status") {
      std::from_chars(header.value.data(), header.value.data() + header.value.size(), status);
    } else if (header.name == "content-type") {
      content_type = header.value;
    } else if (header.name == "grpc-encoding") {
      encoding = header.value;
    }
  }
  if (status < 200) {
    return;  // informational
  }
  responded_ = true;
  if (status != 200) {
    refused_ = Status{code_of_http_status(status), fmt::format("the server answered HTTP status {}", status)};
  } else if (!is_grpc_content_type(content_type)) {
    refused_ =
        Status{Code::unknown,
               fmt::format("the server's content-type is '{}', not application/grpc: no gRPC server", content_type)};
  } else if (!encoding.empty() && encoding != "identity") {
    refused_ = Status{Code::internal, fmt::format("the server compresses by '{}', though we accept none", encoding)};
  }
}

void ClientHalf::on_end() {
  if (trailers_) {
    end(*trailers_);  // a server's own word outranks what its HTTP says
  } else if (refused_) {
    end(*refused_);
  } else {
    end({Code::internal, "the stream ended without grpc-status"});
  }
}

// The stream is over, whatever the peer still has to say.
void ClientHalf::end(const Status& status) {
  const bool sent_all = wrote_all_ && queued_bytes() == 0;
  done_ = true;
  close(status);
  if (!sent_all) {
    reset(Http2Error::no_error);
  }
}

void ClientHalf::finish(const Status&) {
  wrote_all_ = true;
  wake();
}

void ClientHalf::on_released() {
  if (!done_) {
    reset(Http2Error::cancel);
  }
}

Http2Pull::Then ClientHalf::at_queue_end() { return wrote_all_ ? Http2Pull::Then::end : Http2Pull::Then::wait; }

void ClientHalf::on_bad_message(const Status& status) {
  close(status);
  reset(Http2Error::cancel);
}

void ClientHalf::on_deadline() {
  reset(Http2Error::cancel);
  close({Code::deadline_exceeded, "the deadline that was given to the call has passed"});
}

Status ClientHalf::status_of_reset(std::uint32_t error) const {
  if (trailers_) {
    return *trailers_;
  }
  if (refused_) {
    return *refused_;
  }
  if (link_.going_away() && error == static_cast<std::uint32_t>(Http2Error::refused_stream)) {
    return {Code::unavailable, link_.peer_name() + " takes no more streams on this connection (GOAWAY)"};
  }
  return {code_of_http2_error(error), link_.peer_name() + " reset the stream: " + http::http2_error_name(error)};
}

}  // namespace remora::grpc
