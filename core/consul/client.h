// Client: HTTP/1.1 to one of several Consul agents: connections that are kept, a token that is re-read, a limit to
// each answer and to its time; every failure with a name. Owned by whoever wires a process; its loop's thread.
// Pending: one question. Owned by who asks; cancels when it dies; its callback never comes from inside `start`.
// Sources: Consul's API documentation (authentication, consistency modes, blocking queries).
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/arena.h"
#include "core/base/result.h"
#include "core/consul/agent.h"
#include "core/event/loop.h"
#include "core/http/codec.h"
#include "core/net/connection.h"
#include "core/net/network.h"

namespace remora::tls {
class ClientContext;
}

namespace remora::consul {

class Call;        // connection.h
class Connection;  // connection.h

struct ClientOptions {
  std::vector<Agent> agents;                        // tried in turn; at least one
  std::shared_ptr<const tls::ClientContext> tls{};  // for agents that speak it
  std::function<Result<std::string>()> token;       // asked for each request; empty: none. See token_from_file
  Milliseconds connect_timeout{2'000};
  Milliseconds idle_timeout{60'000};             // of a kept connection
  std::size_t max_idle = 16;                     // kept connections
  std::size_t max_body = std::size_t{64} << 20;  // of an answer
  std::string called = "Consul";                 // what words of failures call the agents
};

// Reads it anew each time: a rotated token is taken at the next request. While it cannot be read the last one serves.
std::function<Result<std::string>()> token_from_file(std::string path);

struct Request {
  std::string method = "GET";
  std::string path;                                          // "/v1/health/service/web", escaped (see escape)
  std::vector<std::pair<std::string, std::string>> query{};  // not escaped; an empty value: the name alone
  std::string body{};
  Milliseconds timeout{10'000};  // of the whole, connecting included
  std::uint64_t connection = 0;  // the only one by which it may go; see Answer. 0: any
  bool replay = true;            // once more on a new connection, when a kept one ends without an answer
};

struct Answer {
  int status = 0;
  std::optional<std::uint64_t> index;  // X-Consul-Index
  std::optional<bool> known_leader;    // X-Consul-KnownLeader; none where Consul cannot say
  bool filtered = false;               // X-Consul-Results-Filtered-By-ACLs: there is more than the token may see
  std::uint64_t connection = 0;        // by which it came: an agent that restarts ends all that it had
  std::string body;
};

struct Failure {
  enum class Reason : std::uint8_t {
    connect,    // no agent could be reached
    timeout,    // an agent took too long
    broken,     // the connection ended before the answer did
    protocol,   // what came is not HTTP
    too_large,  // the answer is over the limit
    no_leader,  // Consul answers, but has no leader
    refused,    // 403: the token lacks a permission, or is unknown
    status,     // another status than 200
    malformed,  // the body is not what Consul's API says
    token,      // the token's file cannot be read
  };
  Reason reason = Reason::connect;
  std::string words;  // agent, question, what happened
  int status = 0;     // the answer's, when there was one
};
std::string_view name(Failure::Reason reason);  // "connect", "no_leader": for metrics

using Outcome = std::expected<Answer, Failure>;  // an Answer's status is 200

class Pending {
 public:
  Pending() = default;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  virtual ~Pending() = default;
};

class Client {
 public:
  using Callback = std::function<void(Outcome)>;

  Client(const net::ConnectionContext& context, net::Network& network, ClientOptions options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();  // after all of its calls

  // The callback may destroy, or replace, what this returns.
  [[nodiscard]] std::unique_ptr<Pending> start(Request request, Callback done);

  // Is that connection of an answer there still, and free?
  bool is_kept(std::uint64_t connection) const;

  Loop& loop() { return context_.loop; }
  // For people: the agents' addresses.
  std::string agents() const;

 private:
  friend class Call;
  friend class Connection;

  std::size_t turn_of(const Agent& agent) const { return static_cast<std::size_t>(&agent - options_.agents.data()); }
  const Agent& agent(std::size_t turn) const { return options_.agents[turn % options_.agents.size()]; }
  Connection* take_idle(const Agent& agent, std::uint64_t wanted);
  std::expected<Connection*, int> open(const Agent& agent);
  void keep(Connection& connection);    // done with a request
  void remove(Connection& connection);  // closed

  // Constant after construction.
  net::ConnectionContext context_;
  net::Network& network_;
  const ClientOptions options_;

  std::size_t current_ = 0;  // the agent that answered last, or the one after that which failed
  std::uint64_t made_ = 0;   // connections, ever
  std::vector<std::unique_ptr<Connection>> connections_;
};

// A path segment or query value, with all but unreserved characters as %XX (RFC 3986 section 2.3).
std::string escape(std::string_view text);

}  // namespace remora::consul
