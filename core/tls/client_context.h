// ClientContext: how we speak TLS as a client: whom we trust, which certificate is ours. Made once, shared by
// transports; immutable; any thread. Sources: RFC 8446, RFC 6125 (names in certificates), OpenSSL 3.
#pragma once

#include <memory>
#include <string>

#include "core/base/result.h"

struct ssl_ctx_st;

namespace remora::tls {

struct ClientOptions {
  std::string ca_file;      // PEM; empty: the system's
  std::string certificate;  // PEM file of ours and its chain; empty: none
  std::string key;          // PEM file
};

class ClientContext {
 public:
  // Errors name the file and what is wrong with it.
  static Result<std::shared_ptr<const ClientContext>> make(const ClientOptions& options);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  ssl_ctx_st* get() const { return context_; }

 private:
  explicit ClientContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

// What OpenSSL's error queue says of the last failure, and empties it.
std::string take_error();

}  // namespace remora::tls
