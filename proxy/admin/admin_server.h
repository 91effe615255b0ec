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
  AdminServer(LibeventLoop& loop, AdminPages& pages);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  ~AdminServer();

  // The error says what is in the way and what to do.
  Result<void> listen(const Address& address);
  const Address& address() const { return address_; }  // with the port that the system chose

 private:
  static void on_request(evhttp_request* request, void* self);
  void run_after();

  LibeventLoop& loop_;
  AdminPages& pages_;
  evhttp* http_;
  Address address_;
  std::string unix_path_;  // to be removed at the end
  Timer after_timer_;
  std::vector<std::function<void()>> after_;
};

}  // namespace remora::admin
