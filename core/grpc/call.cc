#include "core/grpc/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/grpc/link.h"
#include "core/grpc/wire.h"

namespace remora::grpc {

using http::Http2Error;
using http::Http2Pull;

CallHalf::CallHalf(Link& link, http::Http2StreamId id, std::size_t max_message_bytes)
    : link_(link), id_(id), in_(max_message_bytes) {
  deadline_.bind<&CallHalf::on_deadline>(this);
}

CallHalf::~CallHalf() {
  if (handle_ != nullptr) {
    handle_->half_ = nullptr;
  }
}

std::unique_ptr<Stream> CallHalf::make_handle() {
  auto handle = std::make_unique<Handle>(*this);
  handle_ = handle.get();
  return handle;
}

void CallHalf::on_data(std::string_view data) {
  link_.session().consume(id_, data.size());
  if (events_ == nullptr) {
    return;
  }
  const Deframer::Problem problem = in_.feed(data, [this](std::string_view message) {
    events_->on_message(message);
    return events_ != nullptr;
  });
  switch (problem) {
    case Deframer::Problem::none:
      break;
    case Deframer::Problem::compressed:
      on_bad_message({Code::internal, "a message is compressed, though we accept none but identity"});
      break;
    case Deframer::Problem::bad_flag:
      on_bad_message({Code::internal, "a message's compression flag is neither 0 nor 1: this is no gRPC framing"});
      break;
    case Deframer::Problem::too_long:
      on_bad_message(
          {Code::resource_exhausted, fmt::format("a message of {} bytes is longer than the limit of {} bytes",
                                                 in_.message_size(), in_.max_message_bytes())});
      break;
  }
}

void CallHalf::on_http2_closed(std::uint32_t error) {
  http2_closed_ = true;
  close(status_of_reset(error));
}

Status CallHalf::status_of_reset(std::uint32_t error) const {
  return {code_of_http2_error(error), "the peer ended the stream: " + http::http2_error_name(error)};
}

void CallHalf::close(const Status& status) {
  deadline_.cancel();
  wrote_all_ = true;
  if (events_ != nullptr) {
    std::exchange(events_, nullptr)->on_closed(status);
  }
}

void CallHalf::reset(Http2Error error) {
  if (!http2_closed_) {
    link_.session().reset(id_, error);
    link_.schedule_flush();
  }
}

void CallHalf::start_deadline(Nanoseconds timeout) { link_.loop().arm(deadline_, timeout); }

// ---- sending

void CallHalf::send(std::string_view message) {
  if (wrote_all_ || http2_closed_) {
    return;
  }
  const auto prefix = message_prefix(message.size());
  out_.reserve(out_.size() + prefix.size() + message.size());
  out_.append(prefix.data(), prefix.size()).append(message);
  above_mark_ = above_mark_ || queued_bytes() > kHighMark;
  wake();
}

void CallHalf::wake() {
  if (!http2_closed_) {
    link_.session().resume(id_);
    link_.schedule_flush();
  }
}

Http2Pull CallHalf::pull(std::span<char> into) {
  const std::size_t size = std::min(into.size(), queued_bytes());
  std::memcpy(into.data(), out_.data() + out_begin_, size);
  out_begin_ += size;
  free_sent();
  if (above_mark_ && queued_bytes() <= kLowMark) {
    above_mark_ = false;
    if (events_ != nullptr) {
      events_->on_writable();  // it may send more
    }
  }
  return {size, queued_bytes() > 0 ? Http2Pull::Then::more : at_queue_end()};
}

void CallHalf::free_sent() {
  if (out_begin_ == out_.size()) {
    out_ = std::string();  // an idle stream holds no memory
    out_begin_ = 0;
  } else if (out_begin_ > kHighMark && out_begin_ > out_.size() / 2) {
    out_.erase(0, out_begin_);
    out_begin_ = 0;
  }
}

// ---- the user's handle

Handle::~Handle() {
  if (half_ != nullptr) {
    CallHalf& half = *std::exchange(half_, nullptr);
    half.handle_ = nullptr;
    half.events_ = nullptr;
    half.deadline_.cancel();
    half.on_released();
  }
}

void Handle::send(std::string_view message) {
  if (half_ != nullptr) {
    half_->send(message);
  }
}

void Handle::finish(const Status& status) {
  if (half_ != nullptr) {
    half_->finish(status);
  }
}

std::size_t Handle::queued_bytes() const { return half_ == nullptr ? 0 : half_->queued_bytes(); }

}  // namespace remora::grpc
