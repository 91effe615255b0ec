#include "proxy/upstream/raw_connection.h"

#include <cerrno>
#include <utility>

#include "proxy/upstream/cluster_state.h"
#include "proxy/upstream/endpoint_state.h"

namespace remora::upstream {

std::expected<std::unique_ptr<RawConnection>, ConnectFailure> RawConnection::open(ConnectionPool& pool,
                                                                                  RawEvents& events) {
  auto transport = pool.connect(/*strict=*/true);
  if (!transport) {
    return std::unexpected(transport.error());
  }
  return std::unique_ptr<RawConnection>(new RawConnection(pool, std::move(*transport), events));
}

RawConnection::RawConnection(ConnectionPool& pool, std::unique_ptr<net::Transport> transport, RawEvents& events)
    : pool_(pool), events_(events), connection_(pool.connections_, std::move(transport), *this, /*connecting=*/true) {
  ++pool_.raw_;
  timer_.bind<&RawConnection::on_connect_timeout>(this);
  pool_.connections_.loop.arm(timer_, pool_.cluster_.config().connect_timeout);
}

void RawConnection::close(bool reset) {
  if (closed_) {
    return;
  }
  closed_ = true;
  timer_.cancel();
  connection_.close_now(reset);
  --pool_.raw_;
  pool_.count_closed(connection_, connected_);
}

void RawConnection::on_connected() {
  timer_.cancel();
  connected_ = true;
  pool_.cluster_.series().connections_opened.add();
  events_.on_upstream_connected();
}

void RawConnection::on_closed(net::CloseReason reason) {
  timer_.cancel();
  if (connected_) {
    events_.on_upstream_closed(reason);
    return;
  }
  pool_.endpoint_.cells().connect_failures.add();
  events_.on_upstream_failed({ConnectFailure::Kind::failed, reason.error});
}

void RawConnection::on_connect_timeout() {
  connection_.close_now();
  pool_.endpoint_.cells().connect_failures.add();
  events_.on_upstream_failed({ConnectFailure::Kind::timeout, 0});
}

metrics::ConnectFailure connect_failure_label(const ConnectFailure& failure) {
  if (failure.kind == ConnectFailure::Kind::timeout) {
    return metrics::ConnectFailure::timeout;
  }
  switch (failure.error) {
    case ECONNREFUSED:
      return metrics::ConnectFailure::refused;
    case ECONNRESET:
      return metrics::ConnectFailure::reset;
    case EMFILE:
    case ENFILE:
      return metrics::ConnectFailure::no_fds;
    case EHOSTUNREACH:
    case ENETUNREACH:
      return metrics::ConnectFailure::unreachable;
    default:
      return metrics::ConnectFailure::other;
  }
}

}  // namespace remora::upstream
