// AresResolver: a Resolver on c-ares: /etc/hosts, then the servers of /etc/resolv.conf, or those that it is given. No
// thread of its own: its sockets are events of the loop. Owned by the sidecar; main thread.
#pragma once

#include <event2/event.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/event/libevent_loop.h"
#include "core/net/resolver.h"

struct ares_channeldata;
struct ares_addrinfo;  // NOLINT(readability-identifier-naming)

namespace remora::net {

struct AresOptions {
  std::vector<Address> servers;  // none: the system's
  bool tcp = false;              // never by UDP
  bool search = true;            // relative names are also tried in the system's search domains
  Milliseconds timeout{3000};    // of one try at one server; the next one waits longer
  int tries = 2;
};

class AresResolver final : public Resolver {
 public:
  explicit AresResolver(LibeventLoop& loop, AresOptions options = {});
  AresResolver(const AresResolver&) = delete;
  AresResolver& operator=(const AresResolver&) = delete;
  ~AresResolver() override;

  std::unique_ptr<Lookup> resolve(const std::string& host, Family family, Done done) override;

 private:
  struct Query;
  class Handle;
  struct Watch {
    AresResolver* resolver = nullptr;
    event* readable = nullptr;
    event* writable = nullptr;
  };

  void open();
  void close();
  void deliver();
  void rearm();
  void on_timer();
  static void on_socket_state(void* self, int fd, int readable, int writable);
  static void on_socket(int fd, short what, void* watch);
  static void on_answer(void* query, int status, int timeouts, ares_addrinfo* found);

  LibeventLoop& loop_;
  const AresOptions options_;
  ares_channeldata* channel_ = nullptr;
  std::string broken_;  // why there is no channel
  std::map<int, Watch> watches_;
  std::vector<std::shared_ptr<Query>> answered_;  // to be told on a later turn
  std::size_t under_way_ = 0;
  bool stale_ = false;  // no server could be reached: the system's may have changed
  Task deliver_task_;
  Timer timer_;
};

}  // namespace remora::net
