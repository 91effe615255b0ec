// Session: one downstream connection and its exchanges. Owned by its Listener; worker thread. Knows when the connection
// may be read, when it idles, when it ends; what a request means is Exchange's.
#pragma once

#include <string>

#include "core/event/loop.h"
#include "core/http/http1_server.h"
#include "core/net/connection.h"
#include "proxy/exchange/exchange.h"
#include "proxy/listener/downstream.h"

namespace remora::proxy {

class Listener;

class Session final : public Downstream, net::ConnectionEvents, http::ServerCodecEvents, ExchangeOwner {
 public:
  Session(Listener& listener, std::unique_ptr<net::Transport> transport, std::uint64_t id);

  // An idle connection closes now; a busy one after its answer, which says so.
  void drain() override;
  // Ends it here, whatever is in flight.
  void abort() override;

 private:
  // ConnectionEvents
  std::size_t on_bytes(std::string_view bytes) override;
  bool expects_more() const override { return codec_.expects_more(); }
  void on_end() override;
  void on_drained() override;
  void on_closed(net::CloseReason reason) override;

  // ServerCodecEvents
  Arena& on_message_begin() override;
  http::RequestSink* on_request(http::ServerStream& stream, http::RequestHead& head, bool end) override;
  void on_bad_head(http::ServerStream& stream, const http::ProtocolError& error) override;
  void on_stream_done(http::ServerStream& stream) override;
  void on_codec_close() override;
  void on_input_wanted() override;

  // ExchangeOwner
  bool downstream_full() const override { return connection_.above_high_mark(); }
  void pause_request() override { connection_.pause(net::Pause::peer_full); }
  void resume_request() override { connection_.resume(net::Pause::peer_full); }

  void feed_tunnel();
  void on_timer();  // idle between requests, or a head that does not come
  void on_max_duration();
  void arm_idle();
  void end(std::string_view why);
  template <typename... Words>
  void say(std::string_view format, const Words&... words);  // at debug level

  Listener& listener_;
  net::Connection connection_;
  http::Http1Server codec_;
  ConnectionFacts facts_;
  std::string remote_text_;
  std::string remote_ip_;
  std::string local_text_;
  Exchange* exchange_ = nullptr;
  bool begun_ = false;  // the exchange's head was whole
  bool ended_ = false;
  bool draining_ = false;
  bool closing_ = false;
  std::uint32_t requests_ = 0;
  Task input_task_;  // a tunnel was accepted: what waited goes on
  Timer timer_;
  Timer max_duration_;
};

}  // namespace remora::proxy
