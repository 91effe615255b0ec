// Connection: one connection to an agent, and the codec on it. Owned by its Client, lent to one Call at a time; the
// loop's thread.
#pragma once

#include <memory>
#include <string_view>

#include "core/consul/client.h"
#include "core/http/http1_client.h"

namespace remora::consul {

class Connection final : public Retirable, net::ConnectionEvents, http::ClientCodecEvents {
 public:
  Connection(Client& client, const Agent& agent, std::uint64_t serial, std::unique_ptr<net::Transport> transport);

  // Lends it out, once connected: now, or later when it is connecting.
  void lend(Call& call);
  // The call gives up: the connection closes.
  void abandon();

  const Agent& agent() const { return agent_; }
  std::uint64_t serial() const { return serial_; }
  bool idle() const { return call_ == nullptr && connected_; }
  // Idle, and not only for the moment between two questions of one watch.
  bool resting() const { return idle() && client_.loop().now() - idle_since_ >= Milliseconds(500); }
  bool used_before() const { return requests_ > 1; }
  http::ClientStream& begin(http::ResponseSink& sink) { return codec_.begin(sink); }

 private:
  void on_connected() override;
  std::size_t on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_closed(net::CloseReason reason) override;
  void on_client_stream_done(bool reusable) override;
  void on_timer();
  void close();

  Client& client_;
  const Agent& agent_;
  const std::uint64_t serial_;
  net::Connection connection_;
  http::Http1Client codec_;
  Call* call_ = nullptr;
  bool connected_ = false;
  bool closed_ = false;
  unsigned requests_ = 0;
  MonotonicTime idle_since_{};
  Timer timer_;  // connect timeout, then idle timeout
};

// One question: on which connection, what came back so far, and how it ends.
class Call final : public Pending, http::ResponseSink {
 public:
  Call(Client& client, Request request, Client::Callback done);
  ~Call() override;

 private:
  friend class Client;
  friend class Connection;

  void begin();  // on an idle connection, or a new one
  void try_next_agent(std::string words);
  void send();  // the connection is there
  void on_connect_failed(std::string words);
  void on_deadline();
  void settle(Outcome outcome);  // delivered at the turn's end
  void deliver();
  Outcome judge();
  Failure failure(Failure::Reason reason, std::string_view words) const;
  std::string target() const;

  Arena& response_arena() override { return arena_; }
  void on_informational(http::ResponseHead&) override {}
  void on_head(http::ResponseHead& head, bool end) override;
  void on_response_body(std::string_view data) override;
  void on_response_trailers(http::HeaderList&) override {}
  void on_response_end() override;
  void on_reset(http::ResetReason reason, std::string_view cause) override;

  Client& client_;
  const Request request_;
  Client::Callback done_;
  std::string token_;
  Arena arena_;
  Connection* connection_ = nullptr;
  std::size_t first_agent_;
  std::size_t tried_ = 0;  // agents that could not be connected to
  bool replayed_ = false;
  bool begun_ = false;  // of the answer
  Answer answer_;
  std::optional<Outcome> outcome_;
  Task task_;  // begins, then delivers
  Timer deadline_;
};

}  // namespace remora::consul
