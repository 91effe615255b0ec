// AdminServer: HTTP for AdminPages, on libevent's evhttp: it is small, and made for few callers who are trusted.
// Listens where the bootstrap says. Owned by Sidecar; main thread.
#pragma once

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/event/libevent_loop.h"
#include "proxy/admin/pages.h"

struct evhttp;
struct evhttp_request;

namespace remora::admin {

class AdminServer {
 public:
  // `access_log`: a file that gets a line for each request, in Envoy's default format; empty: none.
  AdminServer(LibeventLoop& loop, AdminPages& pages, std::string access_log = {});
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  ~AdminServer();

  // The error says what is in the way and what to do.
  Result<void> listen(const Address& address);
  const Address& address() const { return address_; }  // with the port that the system chose

 private:
  static void on_request(evhttp_request* request, void* self);
  void log(evhttp_request* request, std::string_view method, const char* target, int status, std::size_t bytes) const;
  void run_after();

  LibeventLoop& loop_;
  AdminPages& pages_;
  const std::string access_log_;
  evhttp* http_;
  Address address_;
  std::string unix_path_;  // to be removed at the end
  Timer after_timer_;
  std::vector<std::function<void()>> after_;
};

}  // namespace remora::admin
