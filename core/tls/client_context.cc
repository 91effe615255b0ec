#include "core/tls/client_context.h"

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstring>

namespace remora::tls {

std::string take_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) {
    return std::strerror(ERR_GET_REASON(code));
  }
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

Result<std::shared_ptr<const ClientContext>> ClientContext::make(const ClientOptions& options) {
  ERR_clear_error();
  SSL_CTX* raw = SSL_CTX_new(TLS_client_method());
  if (raw == nullptr) {
    return fail("TLS: " + take_error());
  }
  std::shared_ptr<const ClientContext> context(new ClientContext(raw));
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  // A write that was taken in part comes again from wherever its bytes are by then.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(raw);
  } else if (SSL_CTX_load_verify_locations(raw, options.ca_file.c_str(), nullptr) != 1) {
    return fail(fmt::format("the CA file {}: {}: expected PEM certificates", options.ca_file, take_error()));
  }
  if (options.certificate.empty() != options.key.empty()) {
    return fail("a client certificate and its key go together: only one of them is named");
  }
  if (!options.certificate.empty()) {
    if (SSL_CTX_use_certificate_chain_file(raw, options.certificate.c_str()) != 1) {
      return fail(fmt::format("the client certificate {}: {}", options.certificate, take_error()));
    }
    if (SSL_CTX_use_PrivateKey_file(raw, options.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(raw) != 1) {
      return fail(fmt::format("the client key {}: {}", options.key, take_error()));
    }
  }
  return context;
}

ClientContext::~ClientContext() { SSL_CTX_free(context_); }

}  // namespace remora::tls
