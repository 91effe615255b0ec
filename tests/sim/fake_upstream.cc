#include "tests/sim/fake_upstream.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace remora::sim {

Behaviour answer(int status, std::string_view body, std::string_view headers) {
  return {"HTTP/1.1 " + std::to_string(status) + " Whatever\r\n" + std::string(headers) +
          "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body)};
}
Behaviour say(std::string_view bytes) { return {std::string(bytes)}; }
Behaviour silence() { return {}; }
Behaviour hang_up() { return {.after = Behaviour::After::close}; }
Behaviour reset() { return {.after = Behaviour::After::reset}; }

FakeUpstream::FakeUpstream(SimLoop& loop, SimNetwork& network, const Address& address)
    : loop_(loop), network_(network), address_(address) {
  listen();
}

void FakeUpstream::listen() {
  auto acceptor = network_.listen(address_, {}, *this);
  if (!acceptor) {
    throw std::runtime_error(acceptor.error().message);
  }
  acceptor_ = std::move(*acceptor);
}

void FakeUpstream::on_accept(std::unique_ptr<net::Transport> transport) {
  const std::size_t index = peers_.size();
  peers_.push_back(std::make_shared<Peer>(std::move(transport)));
  peers_.back()->on_change = [this, index] { on_bytes(index); };
}

std::size_t FakeUpstream::open_connections() const {
  return static_cast<std::size_t>(std::ranges::count_if(peers_, [](const auto& peer) { return !peer->over(); }));
}

void FakeUpstream::close_all(bool with_reset) {
  for (const auto& peer : peers_) {
    if (!peer->over()) {
      peer->close(with_reset);
    }
  }
}

void FakeUpstream::on_bytes(std::size_t index) {
  const std::shared_ptr<Peer> peer = peers_[index];
  while (auto message = take_request(peer->received)) {
    requests_.push_back({std::move(*message), index, loop_.now()});
    Behaviour behaviour = always_;
    if (!script_.empty()) {
      behaviour = std::move(script_.front());
      script_.pop_front();
    }
    const auto act = [peer, behaviour] {
      if (peer->over()) {
        return;
      }
      peer->send(behaviour.bytes);
      if (behaviour.after != Behaviour::After::keep) {
        peer->close(behaviour.after == Behaviour::After::reset);
      }
    };
    if (behaviour.delay == Nanoseconds(0)) {
      act();
    } else {
      loop_.at(behaviour.delay, act);
    }
  }
  if (peer->ended) {
    peer->close();
  }
}

}  // namespace remora::sim
