// InotifyWatch: tells when files or folders may have changed: written and closed, renamed into place, removed, or
// swapped by a symbolic link as Kubernetes does (`..data`). Owned by whoever follows; its loop's thread. Source:
// inotify(7).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/libevent_loop.h"

struct event;

namespace remora::catalog {

class InotifyWatch {
 public:
  // `touched` is called on later turns. Where inotify has no more watches to give, nothing is told: FolderCatalog looks
  // by itself.
  InotifyWatch(LibeventLoop& loop, std::vector<std::string> paths, std::function<void()> touched);
  InotifyWatch(const InotifyWatch&) = delete;
  InotifyWatch& operator=(const InotifyWatch&) = delete;
  ~InotifyWatch();

 private:
  // One folder that is watched, and which names in it matter; none: all.
  struct Watched {
    std::string folder;
    std::vector<std::string> names;
  };

  void watch_all();
  void watch(const std::string& folder, const std::string& name);
  void read_events();
  bool matters(const Watched& watched, std::string_view name, unsigned mask) const;
  static void on_event(int fd, short what, void* self);

  LibeventLoop& loop_;
  const std::vector<std::string> paths_;
  const std::function<void()> touched_;
  int fd_ = -1;
  event* event_ = nullptr;
  std::map<int, Watched> watched_;
};

}  // namespace remora::catalog
