#include "proxy/tcp/tunnel.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "core/base/hash.h"
#include "proxy/upstream/endpoint_state.h"

namespace remora::proxy {
namespace {

using metrics::TunnelEnd;
using upstream::ClusterLimits;
using upstream::ConnectFailure;

// For what is still queued to a client whose upstream was reset.
constexpr Seconds kLastWordsLinger{5};

struct EndWords {
  ResponseFlags flags;
  std::string_view words;
};

constexpr std::array<EndWords, static_cast<std::size_t>(TunnelEnd::count_)> kEnds = {{
    {0, ""},
    {0, "downstream_reset"},
    {0, "upstream_reset"},
    {flag::kUpstreamConnectionFailure | flag::kUpstreamRetryLimitExceeded, "connect_failed"},
    {flag::kUpstreamConnectionFailure | flag::kUpstreamRetryLimitExceeded, "connect_timeout"},
    {flag::kNoClusterFound, "no_cluster"},
    {flag::kNoHealthyUpstream, "no_healthy_endpoint"},
    {flag::kUpstreamOverflow, "overflow"},
    {flag::kUpstreamOverflow, "breaker_open"},
    {0, "idle_timeout"},
    {flag::kDurationTimeout, "max_connection_duration"},
    {0, "shutdown"},
}};

// Whether the client must see that its stream was cut, not finished.
bool is_cut(TunnelEnd end) {
  return end == TunnelEnd::upstream_reset || end == TunnelEnd::downstream_reset || end == TunnelEnd::shutdown;
}

const model::TcpProxy::Target& choose(const model::TcpProxy& config, Random& random) {
  if (config.targets.size() == 1) {
    return config.targets.front();
  }
  std::uint64_t sum = 0;
  for (const auto& target : config.targets) {
    sum += target.weight;
  }
  std::uint64_t at = random.below(sum);
  for (const auto& target : config.targets) {
    if (at < target.weight) {
      return target;
    }
    at -= target.weight;
  }
  return config.targets.back();
}

}  // namespace

Tunnel::Tunnel(const net::ConnectionContext& connections, Random& random, const model::TcpProxy& config,
               TunnelOwner& owner, std::unique_ptr<net::Transport> transport)
    : loop_(connections.loop),
      random_(random),
      config_(config),
      owner_(owner),
      downstream_(connections, std::move(transport), *this, /*connecting=*/false) {
  facts_.start = loop_.now();
  begin_task_.bind<&Tunnel::begin>(this);
  end_task_.bind<&Tunnel::finish_end>(this);
  idle_timer_.bind<&Tunnel::on_idle>(this);
  max_duration_.bind<&Tunnel::on_max_duration>(this);
  downstream_.pause(net::Pause::held);
  loop_.at_turn_end(begin_task_);
}

Tunnel::~Tunnel() = default;

// ---- connecting

void Tunnel::begin() {
  if (config_.max_connection_duration.count() > 0) {
    loop_.arm(max_duration_, config_.max_connection_duration);
  }
  const model::TcpProxy::Target& target = choose(config_, random_);
  cluster_ = owner_.find_cluster(target.cluster);
  if (cluster_ != nullptr) {
    cluster_config_ = cluster_->pin();
  }
  series_ = &owner_.tunnel_series(cluster_ == nullptr ? target.cluster : cluster_->config().alt_stat_name);
  series_->active.add(1);
  const Address client = downstream_.transport().peer_address();
  if (config_.hash_source_ip && client.is_ip()) {
    hash_ = xx_hash64(client.ip());
  }
  begin_task_.bind<&Tunnel::connect>(this);
  connect();
}

void Tunnel::connect() {
  if (cluster_ == nullptr) {
    end(TunnelEnd::no_cluster);
    return;
  }
  admission_ = cluster_->breaker().admit(loop_.now());
  if (!admission_.admitted()) {
    cluster_->series().overflows[metrics::Overflow::breaker_open].add();
    end(TunnelEnd::breaker_open);
    return;
  }
  breaker_pending_ = true;
  const bool again = tried_ != nullptr;
  upstream::EndpointState* endpoint = cluster_->pick({.random = random_,
                                                      .avoid = std::span(&tried_, again ? std::size_t{1} : 0),
                                                      .more_choices = again ? 3U : 0U,
                                                      .hash = hash_});
  if (endpoint == nullptr) {
    end(TunnelEnd::no_endpoint);
    return;
  }
  pending_ = upstream::LimitToken::acquire(cluster_->limits(), ClusterLimits::Kind::pending);
  if (!pending_) {
    cluster_->series().overflows[metrics::Overflow::pending_requests].add();
    end(TunnelEnd::overflow);
    return;
  }
  connect_to(*endpoint);
}

void Tunnel::connect_to(upstream::EndpointState& endpoint) {
  ++facts_.attempts;
  facts_.endpoint = endpoint.shared;
  auto opened = upstream::RawConnection::open(endpoint.pool(), *this);
  if (!opened && opened.error().kind == ConnectFailure::Kind::overflow) {
    end(TunnelEnd::overflow);
    return;
  }
  endpoint_ = &endpoint;
  ++endpoint.active_requests;
  if (opened) {
    upstream_ = std::move(*opened);
  } else {
    on_attempt_failed(opened.error());
  }
}

void Tunnel::on_upstream_failed(ConnectFailure failure) { on_attempt_failed(failure); }

void Tunnel::on_attempt_failed(ConnectFailure failure) {
  const bool timeout = failure.kind == ConnectFailure::Kind::timeout;
  cluster_->series().connect_failures[connect_failure_label(failure)].add();
  cluster_->report_local_failure(*endpoint_, timeout, loop_.now(), random_);
  if (std::exchange(breaker_pending_, false)) {
    cluster_->breaker().on_failure(admission_, loop_.now());
    cluster_->show_breaker();
  }
  facts_.flags |= flag::kUpstreamConnectionFailure;
  facts_.upstream_failure = timeout ? "connection timeout" : std::strerror(failure.error);
  tried_ = endpoint_;
  drop_upstream(false);
  if (facts_.attempts >= config_.max_connect_attempts) {
    end(timeout ? TunnelEnd::connect_timeout : TunnelEnd::connect_failed);
    return;
  }
  series_->connect_retries.add();
  loop_.next_turn(begin_task_);
}

void Tunnel::on_upstream_connected() {
  pending_.reset();
  cluster_->report_connected(*endpoint_, loop_.now(), random_);
  if (std::exchange(breaker_pending_, false)) {
    cluster_->breaker().on_success(admission_);
    cluster_->show_breaker();
  }
  facts_.connected = last_active_ = loop_.now();
  facts_.upstream_local_text = upstream_->local_text();
  if (config_.idle_timeout.count() > 0) {
    loop_.arm(idle_timer_, config_.idle_timeout);
  }
  downstream_.resume(net::Pause::held);
}

// ---- bytes

std::size_t Tunnel::on_bytes(std::string_view bytes) {
  last_active_ = loop_.now();
  facts_.bytes_received += bytes.size();
  series_->bytes_received.add(bytes.size());
  net::Connection& to = upstream_->connection();
  to.write(bytes);
  if (to.above_high_mark()) {
    downstream_.pause(net::Pause::peer_full);
  }
  return bytes.size();
}

std::size_t Tunnel::on_upstream_bytes(std::string_view bytes) {
  last_active_ = loop_.now();
  facts_.bytes_sent += bytes.size();
  series_->bytes_sent.add(bytes.size());
  downstream_.write(bytes);
  if (downstream_.above_high_mark()) {
    upstream_->connection().pause(net::Pause::peer_full);
  }
  return bytes.size();
}

void Tunnel::on_drained() {
  last_active_ = loop_.now();
  if (upstream_) {
    upstream_->connection().resume(net::Pause::peer_full);
  }
}

void Tunnel::on_upstream_drained() {
  last_active_ = loop_.now();
  downstream_.resume(net::Pause::peer_full);
}

// ---- ends

void Tunnel::on_end() {
  down_.end_seen = true;
  upstream_->connection().end_write();
  end_if_done();
}

void Tunnel::on_upstream_end() {
  up_.end_seen = true;
  downstream_.end_write();
  end_if_done();
}

void Tunnel::on_write_ended() {
  down_.write_ended = true;
  end_if_done();
}

void Tunnel::on_upstream_write_ended() {
  up_.write_ended = true;
  end_if_done();
}

void Tunnel::end_if_done() {
  if (down_.end_seen && down_.write_ended && up_.end_seen && up_.write_ended) {
    end(TunnelEnd::closed);
  }
}

void Tunnel::on_closed(net::CloseReason) { end_later(TunnelEnd::downstream_reset); }
void Tunnel::on_upstream_closed(net::CloseReason) { end_later(TunnelEnd::upstream_reset); }

// After the flushes of this turn: what was read before the reset came still goes to the other side.
void Tunnel::end_later(TunnelEnd end) {
  if (!end_task_.queued()) {
    coming_end_ = end;
    loop_.at_turn_end(end_task_);
  }
}

void Tunnel::finish_end() {
  // A client that is slow gets what is queued for it, and a FIN; then it is over.
  if (coming_end_ == TunnelEnd::upstream_reset && downstream_.open() && downstream_.queued() > 0) {
    drop_upstream(true);
    downstream_.close_gently(kLastWordsLinger);
    return;  // on_closed follows
  }
  end(coming_end_);
}

// Reads note the time; whether a slow reader took bytes is only asked when the time is over.
void Tunnel::on_idle() {
  const MonotonicTime due = last_active_ + config_.idle_timeout;
  const net::Connection& up = upstream_->connection();
  const std::uint64_t written = downstream_.bytes_written() + up.bytes_written();
  const bool drains = std::exchange(written_at_check_, written) != written && downstream_.queued() + up.queued() > 0;
  if (due > loop_.now()) {
    loop_.arm(idle_timer_, due - loop_.now());
  } else if (drains) {
    loop_.arm(idle_timer_, config_.idle_timeout);
  } else {
    end(TunnelEnd::idle);
  }
}

void Tunnel::leave_endpoint() {
  if (endpoint_ != nullptr) {
    --std::exchange(endpoint_, nullptr)->active_requests;
  }
}

void Tunnel::drop_upstream(bool reset) {
  pending_.reset();
  leave_endpoint();
  if (upstream_) {
    upstream_->close(reset);
    loop_.retire(std::move(upstream_));
  }
}

void Tunnel::end(TunnelEnd end) {
  if (ended_) {
    return;
  }
  ended_ = true;
  for (Task* task : {&begin_task_, &end_task_}) {
    task->cancel();
  }
  idle_timer_.cancel();
  max_duration_.cancel();
  drop_upstream(is_cut(end));
  downstream_.close_now(is_cut(end));
  if (std::exchange(breaker_pending_, false)) {
    cluster_->breaker().abandon(admission_);
  }
  const EndWords& words = kEnds[static_cast<std::size_t>(end)];
  facts_.flags |= words.flags;
  facts_.end_words = words.words;
  facts_.end = loop_.now();
  if (series_ != nullptr) {
    series_->active.add(-1);
    series_->ended[end].add();
  }
  owner_.on_tunnel_end(end);
}

}  // namespace remora::proxy
