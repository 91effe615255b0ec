#include "tests/sim/sim_network.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace remora::sim {

// A connection: two sides, 0 (who connected) and 1 (who accepted), and what flies to each. Its transports share it.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(SimLoop& loop, const Weather& weather, std::uint64_t seed) : loop_(loop), weather_(weather), random_(seed) {}

  struct Side {
    net::TransportEvents* events = nullptr;
    Address address;
    bool closed = false;
    bool write_ended = false;
    bool wants_to_write = false;  // a write was taken in part or not at all: an edge is due when there is room

    // What comes to this side.
    struct Segment {
      enum class Kind : std::uint8_t { data, fin, rst } kind = Kind::data;
      MonotonicTime at;
      std::string bytes;
    };
    std::deque<Segment> flying;
    std::size_t flying_bytes = 0;
    std::string arrived;
    bool fin = false;
    bool rst = false;
  };

  std::array<Side, 2> sides;
  bool established = false;
  int connect_error = 0;

  void start(int which, net::TransportEvents& events) {
    sides[which].events = &events;
    if (established) {  // as a freshly added socket: what is there already is an edge
      wake(which, net::kWritable | (sides[which].arrived.empty() ? 0 : net::kReadable));
    }
  }

  // Tells a side, in a later turn, that it may go on.
  void wake(int which, unsigned ready, Nanoseconds after = Nanoseconds(0)) {
    loop_.at(after, [self = shared_from_this(), which, ready] {
      Side& side = self->sides[which];
      if (side.events != nullptr && !side.closed) {
        side.events->on_transport_ready(ready);
      }
    });
  }

  void send(int from, Side::Segment::Kind kind, std::string bytes) {
    Side& to = sides[1 - from];
    if (to.closed) {
      if (kind == Side::Segment::Kind::data) {  // nobody is there any more: a RST comes back
        push(from, Side::Segment::Kind::rst, {}, 2 * weather_.latency);
      }
      return;
    }
    if (kind == Side::Segment::Kind::data && weather_.split_segments) {
      Nanoseconds later(0);
      while (!bytes.empty()) {
        const std::size_t part = 1 + random_.below(std::min<std::size_t>(bytes.size(), 1500));
        push(1 - from, kind, bytes.substr(0, part), weather_.latency + later);
        bytes.erase(0, part);
        later += Microseconds(random_.below(300));
      }
      return;
    }
    push(1 - from, kind, std::move(bytes), weather_.latency);
  }

  std::size_t room(int from) const {
    const Side& to = sides[1 - from];
    const std::size_t used = to.flying_bytes + to.arrived.size();
    return to.closed ? SIZE_MAX : used >= weather_.window ? 0 : weather_.window - used;
  }

  net::IoResult read(int which, std::span<char> into) {
    Side& side = sides[which];
    if (!side.arrived.empty()) {
      const std::size_t size = std::min(into.size(), side.arrived.size());
      std::memcpy(into.data(), side.arrived.data(), size);
      side.arrived.erase(0, size);
      Side& writer = sides[1 - which];
      if (writer.wants_to_write && room(1 - which) > 0) {
        writer.wants_to_write = false;
        wake(1 - which, net::kWritable, weather_.latency);
      }
      return {net::IoResult::Kind::ok, size, 0};
    }
    if (side.rst) {
      return {net::IoResult::Kind::error, 0, ECONNRESET};
    }
    return {side.fin ? net::IoResult::Kind::end : net::IoResult::Kind::would_block, 0, 0};
  }

  net::IoResult write(int which, std::span<const iovec> from) {
    Side& side = sides[which];
    if (side.rst || side.write_ended) {
      return {net::IoResult::Kind::error, 0, side.rst ? ECONNRESET : EPIPE};
    }
    std::string bytes;
    for (const iovec& part : from) {
      bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
    }
    const std::size_t taken = std::min({bytes.size(), room(which), weather_.most_written});
    if (taken < bytes.size()) {
      side.wants_to_write = true;
      if (room(which) > taken) {  // the reader need do nothing: the kernel will have room at once
        side.wants_to_write = false;
        wake(which, net::kWritable, Microseconds(50));
      }
    }
    if (taken == 0) {
      return {net::IoResult::Kind::would_block, 0, 0};
    }
    bytes.resize(taken);
    send(which, Side::Segment::Kind::data, std::move(bytes));
    return {net::IoResult::Kind::ok, taken, 0};
  }

  void shutdown_write(int which) {
    if (!sides[which].write_ended && !sides[which].closed) {
      sides[which].write_ended = true;
      send(which, Side::Segment::Kind::fin, {});
    }
  }

  void close(int which, bool reset) {
    Side& side = sides[which];
    if (side.closed) {
      return;
    }
    // A socket that closes over bytes that nobody read resets, as the kernel does.
    if (reset || !side.arrived.empty()) {
      send(which, Side::Segment::Kind::rst, {});
    } else {
      shutdown_write(which);
    }
    side.closed = true;
    side.events = nullptr;
    Side& writer = sides[1 - which];
    if (std::exchange(writer.wants_to_write, false)) {
      wake(1 - which, net::kWritable, weather_.latency);
    }
  }

 private:
  void push(int to, Side::Segment::Kind kind, std::string bytes, Nanoseconds after) {
    Side& side = sides[to];
    MonotonicTime at = loop_.now() + after;
    if (!side.flying.empty()) {
      at = std::max(at, side.flying.back().at);
    }
    side.flying_bytes += bytes.size();
    side.flying.push_back({kind, at, std::move(bytes)});
    loop_.at(at - loop_.now(), [self = shared_from_this(), to] { self->deliver(to); });
  }

  void deliver(int which) {
    Side& side = sides[which];
    unsigned ready = 0;
    while (!side.flying.empty() && side.flying.front().at <= loop_.now()) {
      Side::Segment segment = std::move(side.flying.front());
      side.flying.pop_front();
      side.flying_bytes -= segment.bytes.size();
      ready |= net::kReadable;
      switch (segment.kind) {
        case Side::Segment::Kind::data:
          side.arrived += segment.bytes;
          break;
        case Side::Segment::Kind::fin:
          side.fin = true;
          ready |= net::kPeerClosed;
          break;
        case Side::Segment::Kind::rst:
          side.rst = true;
          ready |= net::kPeerClosed | net::kWritable;
          break;
      }
    }
    if (side.closed && !side.rst && (ready & net::kReadable) != 0 && !side.arrived.empty()) {
      side.arrived.clear();
      send(which, Side::Segment::Kind::rst, {});  // bytes for nobody
      return;
    }
    if (ready != 0 && side.events != nullptr && !side.closed) {
      side.events->on_transport_ready(ready);
    }
  }

  SimLoop& loop_;
  const Weather weather_;
  Random random_;
};

namespace {

class SimTransport final : public net::Transport {
 public:
  SimTransport(std::shared_ptr<Link> link, int side) : link_(std::move(link)), side_(side) {}
  ~SimTransport() override { close(false); }

  void start(net::TransportEvents& events) override { link_->start(side_, events); }
  net::IoResult read(std::span<char> into) override { return link_->read(side_, into); }
  net::IoResult write(std::span<const iovec> from) override { return link_->write(side_, from); }
  void shutdown_write() override { link_->shutdown_write(side_); }
  void close(bool reset) override { link_->close(side_, reset); }
  int connect_error() override { return link_->connect_error; }
  Address local_address() const override { return link_->sides[static_cast<std::size_t>(side_)].address; }
  Address peer_address() const override { return link_->sides[static_cast<std::size_t>(1 - side_)].address; }

 private:
  std::shared_ptr<Link> link_;
  const int side_;
};

}  // namespace

class SimAcceptor final : public net::Acceptor {
 public:
  SimAcceptor(SimNetwork& network, Address at) : network_(network), at_(at) {}
  ~SimAcceptor() override { stop(); }
  Address address() const override { return at_; }
  void stop() override {
    if (!std::exchange(stopped_, true)) {
      network_.listening_.erase(at_.to_string());
    }
  }

 private:
  SimNetwork& network_;
  const Address at_;
  bool stopped_ = false;
};

SimNetwork::~SimNetwork() = default;

std::expected<std::unique_ptr<net::Transport>, int> SimNetwork::connect(const Address& to,
                                                                        const net::ConnectOptions& options) {
  ++connects_;
  const std::string name = to.to_string();
  const auto reach = reach_.find(name);
  if (reach != reach_.end() && reach->second == Reach::no_route) {
    return std::unexpected(ENETUNREACH);
  }
  auto link = std::make_shared<Link>(loop_, weather, random_.next());
  link->sides[0].address = options.source.value_or(Address::parse("10.9.9.9", next_port_++).value());
  link->sides[1].address = to;
  if (reach == reach_.end() || reach->second != Reach::blackhole) {
    // SYN there, SYN-ACK back: who listens when the SYN comes is who answers.
    loop_.at(weather.latency, [this, link, name] {
      const auto listener = listening_.find(name);
      const bool refused = listener == listening_.end() || reach_.contains(name);
      link->connect_error = refused ? ECONNREFUSED : 0;
      link->established = !refused;
      if (!refused) {
        listener->second->on_accept(std::make_unique<SimTransport>(link, 1));
      }
      link->wake(0, net::kWritable | (refused ? net::kReadable | net::kPeerClosed : 0), weather.latency);
    });
  }
  return std::make_unique<SimTransport>(std::move(link), 0);
}

Result<std::unique_ptr<net::Acceptor>> SimNetwork::listen(const Address& at, const net::ListenOptions&,
                                                          net::AcceptEvents& events) {
  if (!listening_.emplace(at.to_string(), &events).second) {
    return fail("cannot listen on " + at.to_string() + ": Address already in use");
  }
  return std::make_unique<SimAcceptor>(*this, at);
}

}  // namespace remora::sim
