// Registration: a local service's entry at its Consul agent: registered with the check of the service and a TTL check
// of the proxy itself, kept alive, registered again when the agent forgot it, deregistered on drain. Owned by the
// sidecar; the client's loop's thread. Source: Consul's API documentation (/v1/agent/service, /v1/agent/check).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/consul/client.h"
#include "core/consul/health_entry.h"
#include "core/event/loop.h"

namespace remora::consul {

struct ServiceDefinition {
  std::string name;
  std::string id;       // empty: the name
  std::string address;  // empty: the agent's node's
  std::uint16_t port = 0;
  std::vector<std::string> tags;
  StringMap meta;
  std::uint32_t weight_passing = 1;
  std::uint32_t weight_warning = 1;
  std::string destination;  // not empty: this is the sidecar of that service (Kind connect-proxy)
  // `connect: {sidecar_service: …}`, as the API takes it (an object, JSON); empty: there is none. Consul registers the
  // sidecar beside the service, and deregisters it with it.
  std::string sidecar;

  // The service's own check, carried out by the agent; neither: none.
  std::string check_http;  // "http://127.0.0.1:9001/health"
  std::string check_tcp;   // "127.0.0.1:9001"
  Milliseconds interval{10'000};
  Milliseconds timeout{5'000};
  Milliseconds deregister_critical_after{0};  // 0: never

  Milliseconds ttl{15'000};  // of the proxy's own check, refreshed three times in it; 0: none
};

class Registration {
 public:
  enum class State : std::uint8_t { registering, registered, leaving, gone };

  // Begins at once. `tell`: for the log, what went wrong and what is well again.
  Registration(Client& client, Random& random, ServiceDefinition service, std::function<void(const std::string&)> tell);
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  State state() const { return state_; }
  // What is wrong now; empty: nothing.
  const std::string& failing() const { return failing_; }
  const ServiceDefinition& service() const { return service_; }

  // Deregisters; `done` is called on a later turn, when Consul has said so or `limit` is over. True: it has.
  void leave(Milliseconds limit, std::function<void(bool)> done);

 private:
  void act();
  void ask(std::string path, std::string body);
  void on_outcome(const Outcome& outcome);
  void on_failure(const Failure& failure);
  void on_limit();
  void finish(bool gone);
  Nanoseconds jittered(Nanoseconds time);
  std::string id() const { return service_.id.empty() ? service_.name : service_.id; }
  std::string proxy_check() const { return "remora:" + id(); }

  // Constant after construction.
  Client& client_;
  Random& random_;
  const ServiceDefinition service_;
  const std::function<void(const std::string&)> tell_;

  State state_ = State::registering;
  std::string failing_;
  std::uint32_t failures_ = 0;  // in a row
  std::unique_ptr<Pending> call_;
  Timer next_;
  Timer limit_;
  std::function<void(bool)> done_;
};

// The body of PUT /v1/agent/service/register.
std::string registration_json(const ServiceDefinition& service);

}  // namespace remora::consul
