// SimNetwork: TCP in memory, as far as a proxy can tell: latency, windows that fill, writes that are taken in part,
// segments that split, FIN, RST, hosts that refuse or swallow. Readiness is edge-triggered and never comes from inside
// a call, as with sockets. Owned by a test, outlives its transports; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "core/base/random.h"
#include "core/net/network.h"
#include "tests/sim/sim_loop.h"

namespace remora::sim {

class Link;

// Where a connection attempt to an address ends that nobody listens on.
enum class Reach : std::uint8_t {
  refused,    // RST at once
  blackhole,  // nothing ever comes back
  no_route,   // connect() itself fails, with ENETUNREACH
};

struct Weather {
  Nanoseconds latency = Milliseconds(1);  // one way
  std::size_t window = 64 * 1024;         // bytes under way or unread
  std::size_t most_written = SIZE_MAX;    // a write takes at most this much
  bool split_segments = false;            // what is written arrives in pieces, at different times
};

class SimNetwork final : public net::Network {
 public:
  SimNetwork(SimLoop& loop, std::uint64_t seed) : loop_(loop), random_(seed) {}
  ~SimNetwork() override;

  std::expected<std::unique_ptr<net::Transport>, int> connect(const Address& to,
                                                              const net::ConnectOptions& options) override;
  Result<std::unique_ptr<net::Acceptor>> listen(const Address& at, const net::ListenOptions& options,
                                                net::AcceptEvents& events) override;
  Address own_address() override { return Address::parse("10.9.9.9", 0).value(); }

  // For connections made from now on.
  Weather weather;
  void set_reach(const Address& address, Reach reach) { reach_[address.to_string()] = reach; }
  void clear_reach(const Address& address) { reach_.erase(address.to_string()); }

  std::size_t connects() const { return connects_; }  // ever begun

 private:
  friend class SimAcceptor;

  SimLoop& loop_;
  Random random_;
  std::map<std::string, Reach> reach_;
  std::map<std::string, net::AcceptEvents*> listening_;
  std::size_t connects_ = 0;
  std::uint16_t next_port_ = 40'000;
};

}  // namespace remora::sim
