// FakeUpstream: a service in the simulated world. It takes HTTP/1 requests off raw bytes and does to each what the test
// told it to: answer, late or in part, say nothing, hang up, reset. Owned by a test; one thread.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/peer.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/wire.h"

namespace remora::sim {

// What to do with a request, once it is whole.
struct Behaviour {
  enum class After : std::uint8_t { keep, close, reset };
  std::string bytes = {};  // sent as they are
  Nanoseconds delay{0};    // before it
  After after = After::keep;

  Behaviour in(Nanoseconds time) const {
    Behaviour later = *this;
    later.delay = time;
    return later;
  }
  Behaviour then_close() const {
    Behaviour closing = *this;
    closing.after = After::close;
    return closing;
  }
};

Behaviour answer(int status, std::string_view body = "", std::string_view headers = "");
Behaviour say(std::string_view bytes);
Behaviour silence();
Behaviour hang_up();
Behaviour reset();

class FakeUpstream final : net::AcceptEvents {
 public:
  struct Request {
    WireMessage message;
    std::size_t connection = 0;  // which one it came by, from 0
    MonotonicTime at;
  };

  FakeUpstream(SimLoop& loop, SimNetwork& network, const Address& address);
  FakeUpstream(const FakeUpstream&) = delete;
  FakeUpstream& operator=(const FakeUpstream&) = delete;

  // The next requests get these, in order; all others `always`, which is 200 "ok" at first.
  FakeUpstream& next(Behaviour behaviour) {
    script_.push_back(std::move(behaviour));
    return *this;
  }
  void always(Behaviour behaviour) { always_ = std::move(behaviour); }

  const std::vector<Request>& requests() const { return requests_; }
  std::size_t connections() const { return peers_.size(); }  // ever taken
  std::size_t open_connections() const;
  Peer& connection(std::size_t index) { return *peers_.at(index); }
  const Address& address() const { return address_; }

  void close_all(bool with_reset = false);
  void stop_listening() { acceptor_.reset(); }
  void listen();

 private:
  void on_accept(std::unique_ptr<net::Transport> transport) override;
  void on_refuse(std::unique_ptr<net::Transport>, int) override {}
  void on_bytes(std::size_t index);

  SimLoop& loop_;
  SimNetwork& network_;
  const Address address_;
  std::unique_ptr<net::Acceptor> acceptor_;
  std::vector<std::shared_ptr<Peer>> peers_;
  std::vector<Request> requests_;
  std::deque<Behaviour> script_;
  Behaviour always_ = answer(200, "ok");
};

}  // namespace remora::sim
