#include "proxy/upstream/connection_pool.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "proxy/upstream/cluster_state.h"
#include "proxy/upstream/endpoint_state.h"

namespace remora::upstream {
namespace {

template <typename T>
void push_back(LinkedList<T>& list, T& item, T* T::* next, T* T::* previous) {
  item.*next = nullptr;
  item.*previous = list.last;
  (list.last == nullptr ? list.first : list.last->*next) = &item;
  list.last = &item;
  ++list.size;
}

template <typename T>
void unlink(LinkedList<T>& list, T& item, T* T::* next, T* T::* previous) {
  (item.*previous == nullptr ? list.first : (item.*previous)->*next) = item.*next;
  (item.*next == nullptr ? list.last : (item.*next)->*previous) = item.*previous;
  --list.size;
}

}  // namespace

// ---- UpstreamConnection

template <typename... Words>
void UpstreamConnection::say(std::string_view format, const Words&... words) {
  debug(pool_.cluster_.log(), [&] {
    return fmt::format("[C{}] cluster '{}', {}: {}", id_, pool_.cluster_.config().name, pool_.endpoint_.shared->text(),
                       fmt::format(fmt::runtime(format), words...));
  });
}

UpstreamConnection::UpstreamConnection(ConnectionPool& pool, std::unique_ptr<net::Transport> transport)
    : pool_(pool),
      id_(pool.cluster_.next_connection_id()),
      connection_(pool.connections_, std::move(transport), *this, /*connecting=*/true),
      codec_(connection_, *this, pool.cluster_.response_limits()) {
  say("connects");
  timer_.bind<&UpstreamConnection::on_connect_timeout>(this);
  max_age_.bind<&UpstreamConnection::on_expired>(this);
}

http::ClientStream& UpstreamConnection::begin(http::ResponseSink& sink, LeaseEvents& events) {
  lease_ = &events;
  ++requests_;
  return codec_.begin(sink);
}

std::string_view UpstreamConnection::local_text() {
  if (local_text_.empty()) {
    local_text_ = connection_.transport().local_address().to_string();
  }
  return local_text_;
}

void UpstreamConnection::on_connected() {
  say("connected");
  timer_.cancel();
  timer_.bind<&UpstreamConnection::on_idle_timeout>(this);
  pool_.cluster_.series().connections_opened.add();
  const auto max_age = pool_.cluster_.config().max_connection_duration;
  if (max_age.count() > 0) {
    pool_.connections_.loop.arm(max_age_, max_age);
  }
  pool_.on_ready(*this);
}

std::size_t UpstreamConnection::on_bytes(std::string_view bytes) {
  if (state_ != State::leased) {
    say("closes: bytes came that nobody asked for");
    close(false);  // an answer that nobody asked for must not meet the next request
    return bytes.size();
  }
  codec_.feed(bytes);
  return bytes.size();
}

void UpstreamConnection::on_end() {
  say("closed by the endpoint, after {} requests", requests_);
  if (state_ == State::leased) {
    codec_.feed_end(/*clean=*/true);
  }
  close(false);
}

void UpstreamConnection::on_drained() {
  if (lease_ != nullptr) {
    lease_->on_upstream_drained();
  }
}

void UpstreamConnection::on_closed(net::CloseReason reason) {
  if (state_ == State::connecting) {
    say("cannot connect: {}", std::strerror(reason.error));
    pool_.on_gone(*this, {ConnectFailure::Kind::failed, reason.error});
    return;
  }
  say("lost after {} requests: {}", requests_, std::strerror(reason.error));
  if (state_ == State::leased) {
    codec_.feed_end(/*clean=*/false);
  }
  close(false);
}

void UpstreamConnection::on_client_stream_done(bool reusable) {
  lease_ = nullptr;
  if (state_ != State::leased) {
    return;
  }
  const auto limit = pool_.cluster_.config().max_requests_per_connection;
  if (!reusable || expired_ || connection_.end_seen() || !connection_.open() || (limit > 0 && requests_ >= limit)) {
    say("closes after {} requests", requests_);
    close(false);
    return;
  }
  connection_.resume(net::Pause::peer_full);
  pool_.on_ready(*this);
}

void UpstreamConnection::abandon() {
  lease_ = nullptr;
  say("closes: its request was given up");
  close(true);
}

void UpstreamConnection::on_connect_timeout() {
  say("cannot connect: nothing came within {} ms", pool_.cluster_.config().connect_timeout.count());
  connection_.close_now();
  pool_.on_gone(*this, {ConnectFailure::Kind::timeout, 0});
}

void UpstreamConnection::on_idle_timeout() {
  say("idle timeout, after {} requests", requests_);
  close(false);
}

void UpstreamConnection::close(bool reset) {
  if (state_ == State::closed) {
    return;
  }
  connection_.close_now(reset);
  pool_.on_gone(*this, {});
}

// ---- PoolWaiter

void PoolWaiter::cancel_wait() {
  if (pool_ != nullptr) {
    pool_->remove_waiter(*this);
  }
}

// ---- ConnectionPool

ConnectionPool::ConnectionPool(const PoolContext& context, EndpointState& endpoint)
    : connections_(context.connections), network_(context.network), cluster_(context.cluster), endpoint_(endpoint) {
  serve_task_.bind<&ConnectionPool::serve_waiters>(this);
  fail_task_.bind<&ConnectionPool::fail_waiters>(this);
}

ConnectionPool::~ConnectionPool() {
  while (waiters_.first != nullptr) {
    remove_waiter(*waiters_.first);
  }
  for (auto* list : {&connecting_, &ready_, &leased_}) {
    while (list->first != nullptr) {
      UpstreamConnection& connection = *list->first;
      connection.connection_.close_now();
      remove(connection);
    }
  }
}

LinkedList<UpstreamConnection>& ConnectionPool::list_of(UpstreamConnection& connection) {
  switch (connection.state_) {
    case UpstreamConnection::State::connecting:
      return connecting_;
    case UpstreamConnection::State::idle:
      return ready_;
    default:
      return leased_;
  }
}

void ConnectionPool::move(UpstreamConnection& connection, UpstreamConnection::State to) {
  unlink(list_of(connection), connection, &UpstreamConnection::next_, &UpstreamConnection::previous_);
  connection.state_ = to;
  push_back(list_of(connection), connection, &UpstreamConnection::next_, &UpstreamConnection::previous_);
}

// The one used last is the one least likely to be closed by now.
UpstreamConnection* ConnectionPool::take_ready() {
  UpstreamConnection* connection = ready_.last;
  if (connection == nullptr) {
    return nullptr;
  }
  connection->timer_.cancel();
  move(*connection, UpstreamConnection::State::leased);
  if (connection->requests_ > 0) {
    cluster_.series().pool_reuses.add();
  }
  return connection;
}

std::expected<void, ConnectFailure> ConnectionPool::wait(PoolWaiter& waiter) {
  if (!cluster_.limits().try_acquire(ClusterLimits::Kind::pending)) {
    return std::unexpected(ConnectFailure{ConnectFailure::Kind::overflow, 0});
  }
  waiter.pool_ = this;
  push_back(waiters_, waiter, &PoolWaiter::next_, &PoolWaiter::previous_);
  cluster_.series().requests_queued.add();
  cluster_.series().requests_pending.add(1);
  endpoint_.cells().requests_pending.add(1);
  if (connecting_.size < waiters_.size) {
    auto opened = open_connection();
    if (!opened && connections() == 0) {
      failure_ = opened.error();
      connections_.loop.next_turn(fail_task_);
    }
  }
  return {};
}

std::expected<std::unique_ptr<net::Transport>, ConnectFailure> ConnectionPool::connect(bool strict) {
  const model::Cluster& config = cluster_.config();
  // As in Envoy, an endpoint without any connection may always have one.
  if (!cluster_.limits().try_acquire(ClusterLimits::Kind::connections)) {
    cluster_.series().overflows[metrics::Overflow::connections].add();
    if (strict || connections() > 0) {
      return std::unexpected(ConnectFailure{ConnectFailure::Kind::overflow, 0});
    }
    cluster_.limits().acquire(ClusterLimits::Kind::connections);
  }
  net::ConnectOptions options;
  options.source = config.source_address;
  if (config.tcp_keepalive) {
    options.keepalive = true;
    options.keepalive_probes = config.tcp_keepalive->probes;
    options.keepalive_time_s = config.tcp_keepalive->time_s;
    options.keepalive_interval_s = config.tcp_keepalive->interval_s;
  }
  auto transport = network_.connect(endpoint_.shared->address, options);
  if (!transport) {
    cluster_.limits().release(ClusterLimits::Kind::connections);
    endpoint_.cells().connect_failures.add();
    return std::unexpected(ConnectFailure{ConnectFailure::Kind::failed, transport.error()});
  }
  endpoint_.cells().connections_total.add();
  endpoint_.cells().connections_active.add(1);
  cluster_.series().connections_active.add(1);
  return std::move(*transport);
}

std::expected<void, ConnectFailure> ConnectionPool::open_connection() {
  auto transport = connect(/*strict=*/false);
  if (!transport) {
    return std::unexpected(transport.error());
  }
  auto* connection = new UpstreamConnection(*this, std::move(*transport));
  push_back(connecting_, *connection, &UpstreamConnection::next_, &UpstreamConnection::previous_);
  connections_.loop.arm(connection->timer_, cluster_.config().connect_timeout);
  return {};
}

void ConnectionPool::on_ready(UpstreamConnection& connection) {
  if ((draining_ || connection.expired_) && waiters_.size == 0) {
    connection.close(false);
    return;
  }
  move(connection, UpstreamConnection::State::idle);
  const auto idle = cluster_.config().idle_timeout;
  if (idle.count() > 0) {
    connections_.loop.arm(connection.timer_, idle);
  }
  if (waiters_.size > 0) {
    connections_.loop.at_turn_end(serve_task_);
  }
}

void ConnectionPool::serve_waiters() {
  while (waiters_.first != nullptr && ready_.last != nullptr) {
    PoolWaiter& waiter = *waiters_.first;
    remove_waiter(waiter);
    waiter.on_connection(*take_ready());
  }
}

void ConnectionPool::on_gone(UpstreamConnection& connection, ConnectFailure failure) {
  const bool was_connecting = connection.state_ == UpstreamConnection::State::connecting;
  remove(connection);
  if (was_connecting) {
    endpoint_.cells().connect_failures.add();
    // One failed connection fails one waiter: others have connections of their own under way.
    if (waiters_.size > connecting_.size) {
      PoolWaiter& waiter = *waiters_.first;
      remove_waiter(waiter);
      waiter.on_no_connection(failure);
    }
  } else if (waiters_.size > connecting_.size) {
    if (auto opened = open_connection(); !opened && connections() == 0) {
      failure_ = opened.error();
      connections_.loop.next_turn(fail_task_);
    }
  }
}

void ConnectionPool::fail_waiters() {
  while (waiters_.first != nullptr && connections() == 0) {
    PoolWaiter& waiter = *waiters_.first;
    remove_waiter(waiter);
    waiter.on_no_connection(failure_);
  }
}

void ConnectionPool::remove_waiter(PoolWaiter& waiter) {
  unlink(waiters_, waiter, &PoolWaiter::next_, &PoolWaiter::previous_);
  waiter.pool_ = nullptr;
  cluster_.limits().release(ClusterLimits::Kind::pending);
  cluster_.series().requests_pending.add(-1);
  endpoint_.cells().requests_pending.add(-1);
}

void ConnectionPool::remove(UpstreamConnection& connection) {
  unlink(list_of(connection), connection, &UpstreamConnection::next_, &UpstreamConnection::previous_);
  const bool was_open = connection.state_ != UpstreamConnection::State::connecting;
  connection.state_ = UpstreamConnection::State::closed;
  connection.timer_.cancel();
  connection.max_age_.cancel();
  count_closed(connection.connection_, was_open);
  connections_.loop.retire(std::unique_ptr<Retirable>(&connection));
}

void ConnectionPool::count_closed(const net::Connection& connection, bool was_open) {
  cluster_.limits().release(ClusterLimits::Kind::connections);
  endpoint_.cells().connections_active.add(-1);
  auto& series = cluster_.series();
  series.connections_active.add(-1);
  if (was_open) {
    series.connections_closed.add();
  }
  series.bytes_sent.add(connection.bytes_written());
  series.bytes_received.add(connection.bytes_read());
}

void ConnectionPool::drain() {
  draining_ = true;
  close_idle();
}

void ConnectionPool::renew() {
  close_idle();
  for (const auto* list : {&connecting_, &leased_}) {
    for (UpstreamConnection* connection = list->first; connection != nullptr; connection = connection->next_) {
      connection->expired_ = true;
    }
  }
}

void ConnectionPool::close_idle() {
  while (ready_.first != nullptr) {
    ready_.first->close(false);
  }
}

}  // namespace remora::upstream
