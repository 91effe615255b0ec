// FakeConsul: an agent in the simulated world: health endpoints with blocking queries and indexes, and the ways in
// which an agent fails: it hangs, goes away, restarts and forgets, loses its leader, answers garbage. Owned by a test.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/peer.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/wire.h"

namespace remora::sim {

struct FakeInstance {
  std::string id;
  std::string address = "10.0.0.1";
  int port = 80;
  std::string status = "passing";
  std::string version = "1";
  std::vector<std::string> tags{};
  std::string kind{};
  std::string datacenter = "dc1";
  std::string output = "long";  // of its check
};
std::string health_json(const std::string& service, const std::vector<FakeInstance>& instances);

class FakeConsul final : net::AcceptEvents {
 public:
  enum class Mode : std::uint8_t {
    well,
    hangs,
    no_leader,
    stale_leaderless,
    streams,  // well, by its streaming backend
    errors,
    garbage,
    wrong_shape,
    zero_index,
    forbidden,
    filters  // everything, by its ACLs; the streaming backend does not say so
  };

  FakeConsul(SimLoop& loop, SimNetwork& network, const Address& address);
  FakeConsul(const FakeConsul&) = delete;
  FakeConsul& operator=(const FakeConsul&) = delete;
  ~FakeConsul() { stop(); }

  // What this path answers from now on; a new index, and whoever waits for one hears.
  void set(const std::string& path, std::string body);
  void set_service(const std::string& name, const std::vector<FakeInstance>& instances) {
    set("/v1/health/service/" + name, health_json(name, instances));
  }
  void set_sidecars(const std::string& name, const std::vector<FakeInstance>& instances) {
    set("/v1/health/connect/" + name, health_json(name + "-sidecar-proxy", instances));
  }
  void touch();  // another index, nothing else: those who wait are answered with what they know

  Mode mode = Mode::well;
  void stop();                                     // connections break, nobody listens
  void start();                                    // listens
  void restart(std::uint64_t index, bool forget);  // both; `forget`: all bodies are gone
  std::uint64_t index() const { return index_; }

  struct Asked {
    std::string method;
    std::string target;
    std::string token;
    std::string body;
    MonotonicTime at;
  };
  const std::vector<Asked>& asked() const { return asked_; }
  std::size_t asked(std::string_view part) const;  // questions whose target has this part
  std::size_t connections() const { return connections_; }

  // Answers PUTs; status and body. Default: 200, empty.
  std::function<std::pair<int, std::string>(const Asked&)> on_put;

 private:
  struct Question {
    std::shared_ptr<Peer> peer;
    std::string path;
    std::uint64_t index;
    bool over = false;
  };

  void on_accept(std::unique_ptr<net::Transport> transport) override;
  void on_refuse(std::unique_ptr<net::Transport>, int) override {}
  void on_bytes(const std::shared_ptr<Peer>& peer);
  void take(const std::shared_ptr<Peer>& peer, const WireMessage& message);
  void answer(const std::shared_ptr<Peer>& peer, const std::string& path, bool blocked = false);
  void wake();

  SimLoop& loop_;
  SimNetwork& network_;
  const Address address_;
  std::unique_ptr<net::Acceptor> acceptor_;
  std::vector<std::shared_ptr<Peer>> peers_;
  std::map<std::string, std::string> bodies_;
  std::uint64_t index_ = 10;
  std::list<std::shared_ptr<Question>> waiting_;
  std::vector<Asked> asked_;
  std::size_t connections_ = 0;
};

}  // namespace remora::sim
