#include "proxy/upstream/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "core/base/arena.h"
#include "core/http/http1_client.h"

namespace remora::upstream {
namespace {

using model::HealthCheck;

constexpr std::size_t kMostReceived = 64 * 1024;  // of a TCP answer, to look for what is expected in

std::string close_words(net::CloseReason reason) {
  return reason.error != 0 ? std::strerror(reason.error) : "the connection was closed";
}

// GET a path, and look at the status.
class HttpProbe final : public Probe, net::ConnectionEvents, http::ClientCodecEvents, http::ResponseSink {
 public:
  HttpProbe(const net::ConnectionContext& connections, std::unique_ptr<net::Transport> transport,
            std::shared_ptr<const HealthCheck> check, ProbeTarget target, ProbeEvents& events)
      : check_(std::move(check)),
        target_(std::move(target)),
        events_(events),
        blocks_(connections.blocks),
        connection_(connections, std::move(transport), *this, /*connecting=*/true),
        codec_(connection_, *this, http::CodecLimits{.accept_http_10 = true}) {}

  void begin() override {
    arena_.emplace(blocks_);
    active_ = true;
    reusable_ = false;
    status_ = 0;
    why_.clear();
    auto* head = arena_->make<http::RequestHead>(*arena_);
    head->method = check_->method;
    head->method_id = http::method_id(check_->method);
    head->authority = target_.host;
    head->path = check_->path;
    head->headers.add(http::HeaderId::user_agent, "remora-health-check");
    for (const auto& [name, value] : check_->headers) {
      head->headers.set(name, value);
    }
    codec_.begin(*this).send_head(*head, {});
  }
  bool reusable() const override { return reusable_ && check_->reuse_connection && connection_.open(); }
  void close() override {
    active_ = false;
    connection_.close_now();
  }

 private:
  // ConnectionEvents
  std::size_t on_bytes(std::string_view bytes) override {
    codec_.feed(bytes);
    return bytes.size();
  }
  void on_end() override {
    reusable_ = false;
    if (active_) {
      codec_.feed_end(/*clean=*/true);
    }
  }
  void on_closed(net::CloseReason reason) override {
    reusable_ = false;
    if (active_) {
      why_ = close_words(reason);
      codec_.feed_end(/*clean=*/false);
    }
  }

  // ResponseSink
  Arena& response_arena() override { return *arena_; }
  void on_informational(http::ResponseHead&) override {}
  void on_head(http::ResponseHead& head, bool) override { status_ = head.status; }
  void on_response_body(std::string_view) override {}
  void on_response_trailers(http::HeaderList&) override {}
  void on_response_end() override { complete_ = true; }
  void on_reset(http::ResetReason, std::string_view cause) override {
    complete_ = false;
    if (why_.empty()) {
      why_ = cause.empty() ? "the connection was closed before the answer was whole" : cause;
    }
  }

  // ClientCodecEvents
  void on_client_stream_done(bool reusable) override {
    reusable_ = reusable;
    if (!std::exchange(active_, false)) {
      return;
    }
    if (!complete_) {
      events_.on_probe({ProbeResult::Kind::network, why_});
      return;
    }
    const bool expected = std::ranges::any_of(check_->expected_statuses, [this](const HealthCheck::Statuses& range) {
      return status_ >= range.from && status_ < range.end;
    });
    if (expected) {
      events_.on_probe({ProbeResult::Kind::passed, {}});
    } else {
      events_.on_probe({ProbeResult::Kind::failed, fmt::format("it answered {}", status_)});
    }
  }

  const std::shared_ptr<const HealthCheck> check_;
  const ProbeTarget target_;
  ProbeEvents& events_;
  BlockPool& blocks_;
  std::optional<Arena> arena_;  // of the check under way
  net::Connection connection_;
  http::Http1Client codec_;
  bool active_ = false;
  bool complete_ = false;
  bool reusable_ = false;
  int status_ = 0;
  std::string why_;
};

// Connect; send, and look for what is expected in the answer, where the configuration has that.
class TcpProbe final : public Probe, net::ConnectionEvents {
 public:
  TcpProbe(const net::ConnectionContext& connections, std::unique_ptr<net::Transport> transport,
           std::shared_ptr<const HealthCheck> check, ProbeEvents& events)
      : check_(std::move(check)),
        events_(events),
        connection_(connections, std::move(transport), *this, /*connecting=*/true) {}

  void begin() override {
    active_ = true;
    received_.clear();
    if (!check_->send.empty()) {
      connection_.write(check_->send);
    }
  }
  bool reusable() const override {
    return reusable_ && check_->reuse_connection && !check_->receive.empty() && connection_.open();
  }
  void close() override {
    active_ = false;
    connection_.close_now();
  }

 private:
  void on_connected() override {
    reusable_ = true;
    if (check_->receive.empty()) {
      finish({ProbeResult::Kind::passed, {}});
    }
  }
  std::size_t on_bytes(std::string_view bytes) override {
    if (active_) {
      received_ += bytes;
      if (all_received()) {
        finish({ProbeResult::Kind::passed, {}});
      } else if (received_.size() > kMostReceived) {
        finish({ProbeResult::Kind::network, fmt::format("what is expected was not in {} bytes", received_.size())});
      }
    }
    return bytes.size();
  }
  void on_end() override { on_closed({net::CloseReason::Kind::remote, 0}); }
  void on_closed(net::CloseReason reason) override {
    reusable_ = false;
    if (active_) {
      finish({ProbeResult::Kind::network, close_words(reason)});
    }
  }

  // All that is expected, in order; other bytes may stand between.
  bool all_received() const {
    std::size_t at = 0;
    for (const std::string& part : check_->receive) {
      at = received_.find(part, at);
      if (at == std::string::npos) {
        return false;
      }
      at += part.size();
    }
    return true;
  }
  void finish(const ProbeResult& result) {
    active_ = false;
    events_.on_probe(result);
  }

  const std::shared_ptr<const HealthCheck> check_;
  ProbeEvents& events_;
  net::Connection connection_;
  std::string received_;
  bool active_ = false;
  bool reusable_ = false;
};

}  // namespace

std::expected<std::unique_ptr<Probe>, int> make_probe(const net::ConnectionContext& connections, net::Network& network,
                                                      const model::Cluster& cluster, const ProbeTarget& target,
                                                      ProbeEvents& events) {
  net::ConnectOptions options;
  options.source = cluster.source_address;
  auto transport = network.connect(target.address, options);
  if (!transport) {
    return std::unexpected(transport.error());
  }
  const auto& check = cluster.health_check;
  if (check->kind == HealthCheck::Kind::http) {
    return std::make_unique<HttpProbe>(connections, std::move(*transport), check, target, events);
  }
  return std::make_unique<TcpProbe>(connections, std::move(*transport), check, events);
}

}  // namespace remora::upstream
