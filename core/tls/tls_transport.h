// TlsTransport: a Transport over another: TLS as a client. Its owner sees it writable when the handshake is done;
// a handshake that fails ends connecting with EPROTO, and `failure_words` says why. Owned by a Connection; the loop's
// thread. Sources: RFC 8446, OpenSSL 3 (SSL_read_ex, BIO_meth_new).
#pragma once

#include <memory>
#include <string>

#include "core/net/transport.h"
#include "core/tls/client_context.h"

struct ssl_st;
struct bio_st;
struct bio_method_st;

namespace remora::tls {

class TlsTransport final : public net::Transport, net::TransportEvents {
 public:
  // `server`: the name, or address, that its certificate must hold.
  TlsTransport(std::unique_ptr<net::Transport> inner, std::shared_ptr<const ClientContext> context,
               const std::string& server);
  ~TlsTransport() override;

  void start(net::TransportEvents& events) override;
  net::IoResult read(std::span<char> into) override;
  net::IoResult write(std::span<const iovec> from) override;
  void shutdown_write() override;
  void close(bool reset) override;
  int connect_error() override { return connect_error_; }
  std::string_view failure_words() const override { return failure_; }
  Address local_address() const override { return inner_->local_address(); }
  Address peer_address() const override { return inner_->peer_address(); }

 private:
  enum class State : std::uint8_t { connecting, handshaking, open, failed };

  void on_transport_ready(unsigned ready) override;
  void shake_hands();
  void fail_connecting(int error, std::string words);
  net::IoResult result_of(int returned);

  // What OpenSSL reads from and writes to: `inner_`.
  static bio_method_st* bio_method();
  static int bio_read(bio_st* bio, char* into, std::size_t size, std::size_t* taken);
  static int bio_write(bio_st* bio, const char* from, std::size_t size, std::size_t* taken);
  static long bio_control(bio_st* bio, int command, long number, void* pointer);

  std::unique_ptr<net::Transport> inner_;
  const std::shared_ptr<const ClientContext> context_;
  const std::string server_;
  ssl_st* ssl_;
  net::TransportEvents* events_ = nullptr;
  State state_ = State::connecting;
  int connect_error_ = 0;
  int inner_error_ = 0;  // errno of the transport below
  bool inner_ended_ = false;
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
  std::string failure_;
};

}  // namespace remora::tls
