// AdminServer: HTTP for pages, on libevent's evhttp: it is small, and made for few callers who are trusted. Owned by a
// composition root (proxy's Sidecar, control's main); main thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/admin/request.h"
#include "core/base/address.h"
#include "core/base/result.h"
#include "core/event/libevent_loop.h"

struct evhttp;
struct evhttp_request;

namespace remora::admin {

// What answers a request: pages, as one function.
using AdminHandler = std::function<AdminResponse(const AdminRequest&)>;

class AdminServer {
 public:
  // `setting`: where its address was set ("admin.address in the bootstrap"), for errors. `access_log`: a file that gets
  // a line for each request, in Envoy's default format; empty: none.
  AdminServer(LibeventLoop& loop, AdminHandler handler, std::string setting, std::string access_log = {});
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
  const AdminHandler handler_;
  const std::string setting_;
  const std::string access_log_;
  evhttp* http_;
  Address address_;
  std::string unix_path_;  // to be removed at the end
  Timer after_timer_;
  std::vector<std::function<void()>> after_;
};

}  // namespace remora::admin
