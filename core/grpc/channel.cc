#include "core/grpc/channel.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>
#include <vector>

#include "core/grpc/link.h"
#include "core/grpc/wire.h"

namespace remora::grpc {
namespace {

LinkOptions link_options(const ChannelOptions& options) {
  LinkOptions link;
  link.http2.server = false;
  link.max_message_bytes = options.max_message_bytes;
  link.ping_interval = options.ping_interval;
  link.ping_timeout = options.ping_timeout;
  link.handshake_timeout = options.connect_timeout;
  return link;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

}  // namespace

class ClientConnection final : public Link {
 public:
  // `transport` is null when connecting failed at once, with `error`.
  ClientConnection(const net::ConnectionContext& context, std::unique_ptr<net::Transport> transport, const Address& to,
                   const ChannelOptions& options, int error)
      : Link(context, std::move(transport), to, true, link_options(options)) {
    if (error != 0) {
      lose_later({Code::unavailable, cannot_connect(error)});
    }
  }

  // Null: this connection has used up its stream ids.
  std::unique_ptr<Stream> open(std::string_view path, const Metadata& metadata, StreamEvents& events,
                               std::optional<Nanoseconds> timeout, const ChannelOptions& options);

  bool too_many_pings() const { return too_many_pings_; }

 private:
  bool pings_now() const override { return calls() > 0; }
  void on_goaway_seen(std::uint32_t error, std::string_view debug) override {
    too_many_pings_ =
        error == static_cast<std::uint32_t>(http::Http2Error::enhance_your_calm) && debug == "too_many_pings";
  }
  std::string describe(const net::CloseReason& reason) const override {
    return reason.kind == net::CloseReason::Kind::connect_failed ? cannot_connect(reason.error)
                                                                 : Link::describe(reason);
  }
  std::string cannot_connect(int error) const {
    return fmt::format("cannot connect to {}: {}", peer_name(), std::strerror(error));
  }

  bool too_many_pings_ = false;
};

std::unique_ptr<Stream> ClientConnection::open(std::string_view path, const Metadata& metadata, StreamEvents& events,
                                               std::optional<Nanoseconds> timeout, const ChannelOptions& options) {
  const std::string& authority = options.authority.empty() ? peer_name() : options.authority;
  const std::string timeout_text = timeout ? format_timeout(*timeout) : std::string();
  std::vector<http::Http2Header> headers = {
      {":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", authority}};
  if (timeout) {
    headers.push_back({"grpc-timeout", timeout_text});
  }
  headers.insert(headers.end(), {{"te", "trailers"},
                                 {"content-type", "application/grpc"},
                                 {"grpc-accept-encoding", "identity"},
                                 {"user-agent", options.user_agent}});
  Metadata own;
  own.reserve(metadata.size());
  for (const auto& [name, value] : metadata) {
    const std::string key = lower(name);
    own.emplace_back(key, is_binary(key) ? base64_encode(value) : value);
  }
  for (const auto& [name, value] : own) {
    headers.push_back({name, value});
  }
  const auto id = session().submit_request(headers, true);
  if (!id) {
    going_away_ = true;
    return nullptr;
  }
  schedule_flush();
  CallHalf& half = add(std::make_unique<ClientHalf>(*this, *id, options.max_message_bytes, events, timeout));
  return half.make_handle();
}

Channel::Channel(const net::ConnectionContext& context, net::Network& network, const Address& to,
                 ChannelOptions options)
    : context_(context), network_(network), to_(to), options_(std::move(options)) {}

Channel::~Channel() {
  drop(std::move(connection_));
  for (auto& old : old_) {
    drop(std::move(old));
  }
}

void Channel::drop(std::unique_ptr<ClientConnection> connection) {
  if (connection != nullptr) {
    connection->abandon();
    context_.loop.retire(std::move(connection));
  }
}

bool Channel::connected() const { return connection_ != nullptr && !connection_->over() && connection_->handshaken(); }

// Gives up a connection that takes no new streams, but lets those that it carries come to their ends.
void Channel::make_way() {
  if (connection_ != nullptr && connection_->going_away()) {
    if (connection_->too_many_pings() && options_.ping_interval.count() > 0) {
      options_.ping_interval *= 2;
    }
    old_.push_back(std::move(connection_));
  }
  std::erase_if(old_, [this](std::unique_ptr<ClientConnection>& old) {
    const bool done = old->over();
    if (done) {
      drop(std::move(old));
    }
    return done;
  });
}

std::unique_ptr<Stream> Channel::open(std::string_view path, const Metadata& metadata, StreamEvents& events,
                                      std::optional<Nanoseconds> timeout) {
  for (;;) {
    make_way();
    if (connection_ == nullptr) {
      auto transport = network_.connect(to_, options_.connect);
      const int error = transport ? 0 : transport.error();
      connection_ = std::make_unique<ClientConnection>(context_, transport ? std::move(*transport) : nullptr, to_,
                                                       options_, error);
    }
    if (auto stream = connection_->open(path, metadata, events, timeout, options_)) {
      return stream;
    }
  }
}

}  // namespace remora::grpc
