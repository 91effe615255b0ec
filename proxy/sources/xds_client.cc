#include "proxy/sources/xds_client.h"

#include <fmt/format.h>

#include <algorithm>

namespace remora::sources {
namespace {

constexpr Milliseconds kLookAgain{20};  // while whom we ask has no address yet
constexpr Seconds kSayAgain{60};        // the same failure is logged once in this time

}  // namespace

XdsClient::XdsClient(Loop& loop, Random& random, std::unique_ptr<ControlPlane> control,
                     std::unique_ptr<XdsProtocol> protocol, Options options, FeedEvents events)
    : loop_(loop),
      random_(random),
      control_(std::move(control)),
      protocol_(std::move(protocol)),
      options_(std::move(options)),
      events_(std::move(events)) {
  retry_timer_.bind<&XdsClient::open>(this);
  flush_task_.bind<&XdsClient::flush>(this);
  loop_.arm(retry_timer_, Nanoseconds(0));
}

XdsClientFacts XdsClient::facts() const {
  XdsClientFacts result = facts_;
  result.address = control_->address();
  result.connected = stream_ != nullptr && control_->connected();
  return result;
}

void XdsClient::open() {
  if (control_->waiting()) {
    loop_.arm(retry_timer_, kLookAgain);
    return;
  }
  protocol_->reopen();
  heard_ = false;
  std::string why;
  stream_ = control_->open(options_.path, options_.metadata, *this, why);
  if (stream_ == nullptr) {
    fail(why);
    return;
  }
  ++facts_.streams;
  flush();
}

void XdsClient::flush() {
  if (stream_ != nullptr) {
    for (const std::string& request : protocol_->take_requests()) {
      stream_->send(request);
    }
  }
}

void XdsClient::on_message(std::string_view message) {
  auto update = protocol_->receive(message);
  if (!update) {
    stream_.reset();
    fail(fmt::format("sent {}", update.error().message));
    return;
  }
  if (!heard_) {
    heard_ = true;
    interval_ = kBaseInterval;
    facts_.last_error.clear();
    said_.clear();
    events_.log(LogLevel::info, fmt::format("control plane {} answers", control_->address()));
  }
  if (!*update) {
    return;
  }
  const auto rejections = events_.apply(**update, {});
  ++(rejections.empty() ? facts_.acks : facts_.nacks);
  protocol_->answer(**update, rejections);
  loop_.at_turn_end(flush_task_);  // with what the update made us want
}

void XdsClient::on_closed(const grpc::Status& status) {
  stream_.reset();
  fail(fmt::format("stream closed with gRPC status {}{}{}", static_cast<int>(status.code),
                   status.message.empty() ? "" : ": ", status.message));
}

// The next address after a random part of the interval, which doubles until something answers.
void XdsClient::fail(const std::string& words) {
  ++facts_.failures;
  const std::string address = control_->address();
  std::string error = address.empty() ? words : fmt::format("{}: {}", address, words);
  const Nanoseconds wait(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(interval_.count()))));
  if (words != said_ || loop_.now() >= said_at_ + kSayAgain) {
    said_ = words;
    said_at_ = loop_.now();
    events_.log(LogLevel::warn, fmt::format("control plane {}; the last good configuration goes on; next try in {} ms",
                                            error, std::chrono::duration_cast<Milliseconds>(wait).count()));
  }
  facts_.last_error = std::move(error);
  control_->next();
  interval_ = std::min<Nanoseconds>(interval_ * 2, kMaxInterval);
  loop_.arm(retry_timer_, wait);
  if (events_.failed) {
    events_.failed();
  }
}

}  // namespace remora::sources
