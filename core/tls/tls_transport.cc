#include "core/tls/tls_transport.h"

#include <fmt/core.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace remora::tls {

using net::IoResult;
using Kind = IoResult::Kind;

TlsTransport::TlsTransport(std::unique_ptr<net::Transport> inner, std::shared_ptr<const ClientContext> context,
                           const std::string& server)
    : inner_(std::move(inner)), context_(std::move(context)), server_(server), ssl_(SSL_new(context_->get())) {
  BIO* bio = BIO_new(bio_method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_connect_state(ssl_);
  if (Address::parse(server_, 0)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), server_.c_str());
  } else {
    SSL_set1_host(ssl_, server_.c_str());
    SSL_set_tlsext_host_name(ssl_, server_.c_str());
  }
}

TlsTransport::~TlsTransport() { SSL_free(ssl_); }

void TlsTransport::start(net::TransportEvents& events) {
  events_ = &events;
  inner_->start(*this);
}

void TlsTransport::on_transport_ready(unsigned ready) {
  if (state_ == State::connecting) {
    if (const int error = inner_->connect_error(); error != 0) {
      fail_connecting(error, "");
      return;
    }
    state_ = State::handshaking;
  }
  if (state_ == State::handshaking) {
    shake_hands();
    return;
  }
  if (state_ == State::open) {
    if (write_wants_read_ && (ready & net::kReadable) != 0) {
      ready |= net::kWritable;
    }
    if (read_wants_write_ && (ready & net::kWritable) != 0) {
      ready |= net::kReadable;
    }
    events_->on_transport_ready(ready);
  }
}

void TlsTransport::shake_hands() {
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_);
  if (returned == 1) {
    state_ = State::open;
    // What the peer sent with its last handshake message may be in OpenSSL already: no edge will tell.
    events_->on_transport_ready(net::kWritable | net::kReadable);
    return;
  }
  const int error = SSL_get_error(ssl_, returned);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    return;
  }
  const long verified = SSL_get_verify_result(ssl_);
  if (verified != X509_V_OK) {
    fail_connecting(EPROTO, fmt::format("TLS: the certificate of {} is not trusted: {}", server_,
                                        X509_verify_cert_error_string(verified)));
  } else if (inner_error_ != 0) {
    fail_connecting(EPROTO, fmt::format("TLS: the connection broke in the handshake: {}", std::strerror(inner_error_)));
  } else if (inner_ended_) {
    fail_connecting(EPROTO, "TLS: the connection ended in the handshake");
  } else {
    fail_connecting(EPROTO, fmt::format("TLS: the handshake failed: {}", take_error()));
  }
}

void TlsTransport::fail_connecting(int error, std::string words) {
  state_ = State::failed;
  connect_error_ = error;
  failure_ = std::move(words);
  events_->on_transport_ready(net::kWritable);
}

// Of a call of OpenSSL that did nothing.
IoResult TlsTransport::result_of(int returned) {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {.kind = Kind::would_block};
    case SSL_ERROR_ZERO_RETURN:
      return {.kind = Kind::end};
    default:
      ERR_clear_error();
      // An end without TLS's own farewell may be an attacker's: it is no clean end.
      return {.kind = Kind::error, .bytes = 0, .error = inner_error_ != 0 ? inner_error_ : EPROTO};
  }
}

// Until `into` is full or there is no more: after a short read the owner waits for the next edge.
IoResult TlsTransport::read(std::span<char> into) {
  if (state_ != State::open) {
    return {.kind = Kind::would_block};
  }
  std::size_t total = 0;
  while (total < into.size()) {
    ERR_clear_error();
    std::size_t got = 0;
    const int returned = SSL_read_ex(ssl_, into.data() + total, into.size() - total, &got);
    if (returned != 1) {
      read_wants_write_ = SSL_get_error(ssl_, returned) == SSL_ERROR_WANT_WRITE;
      return total > 0 ? IoResult{.kind = Kind::ok, .bytes = total} : result_of(returned);
    }
    total += got;
  }
  return {.kind = Kind::ok, .bytes = total};
}

IoResult TlsTransport::write(std::span<const iovec> from) {
  if (state_ != State::open) {
    return {.kind = Kind::would_block};
  }
  std::size_t total = 0;
  for (const iovec& part : from) {
    std::size_t done = 0;
    while (done < part.iov_len) {
      ERR_clear_error();
      std::size_t put = 0;
      const int returned =
          SSL_write_ex(ssl_, static_cast<const char*>(part.iov_base) + done, part.iov_len - done, &put);
      if (returned != 1) {
        write_wants_read_ = SSL_get_error(ssl_, returned) == SSL_ERROR_WANT_READ;
        return total > 0 ? IoResult{.kind = Kind::ok, .bytes = total} : result_of(returned);
      }
      done += put;
      total += put;
    }
  }
  return {.kind = Kind::ok, .bytes = total};
}

void TlsTransport::shutdown_write() {
  if (state_ == State::open) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
  }
  inner_->shutdown_write();
}

void TlsTransport::close(bool reset) {
  if (state_ == State::open && !reset && inner_error_ == 0) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
  }
  ERR_clear_error();
  state_ = State::failed;
  inner_->close(reset);
}

// ---- the BIO

bio_method_st* TlsTransport::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "remora transport");
    BIO_meth_set_read_ex(made, &TlsTransport::bio_read);
    BIO_meth_set_write_ex(made, &TlsTransport::bio_write);
    BIO_meth_set_ctrl(made, &TlsTransport::bio_control);
    return made;
  }();
  return method;
}

int TlsTransport::bio_read(BIO* bio, char* into, std::size_t size, std::size_t* taken) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const IoResult got = self.inner_->read({into, size});
  *taken = got.bytes;
  if (got.kind == Kind::would_block) {
    BIO_set_retry_read(bio);
  } else if (got.kind == Kind::end) {
    self.inner_ended_ = true;
  } else if (got.kind == Kind::error) {
    self.inner_error_ = got.error;
  }
  return got.kind == Kind::ok ? 1 : 0;
}

int TlsTransport::bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* taken) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const iovec part{const_cast<char*>(from), size};
  const IoResult put = self.inner_->write({&part, 1});
  *taken = put.bytes;
  if (put.kind == Kind::would_block) {
    BIO_set_retry_write(bio);
  } else if (put.kind == Kind::error) {
    self.inner_error_ = put.error;
  }
  return put.kind == Kind::ok ? 1 : 0;
}

long TlsTransport::bio_control(BIO* bio, int command, long, void*) {
  const auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
      return 1;
    case BIO_CTRL_EOF:
      return self.inner_ended_ ? 1 : 0;
    default:
      return 0;
  }
}

}  // namespace remora::tls
