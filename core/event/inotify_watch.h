// InotifyWatch: a FileWatch by inotify(7): sees what was written and closed, renamed into place, removed, or moved by
// a symbolic link anywhere on the way to a path, as Kubernetes does (`..data`). Owned by whoever follows; its loop's
// thread. InotifyWatcher: makes them. Owned by whoever wires a process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event/file_watch.h"
#include "core/event/libevent_loop.h"

struct event;

namespace remora {

class InotifyWatch final : public FileWatch {
 public:
  // `touched` is called on later turns. Where inotify has no more watches to give, nothing is told.
  InotifyWatch(LibeventLoop& loop, std::vector<std::string> paths, std::function<void()> touched);
  ~InotifyWatch() override;

 private:
  // One folder that is watched, and which names in it matter; none: all.
  struct Watched {
    std::string folder;
    std::vector<std::string> names;
  };

  void watch_all();
  void watch_way(const std::string& path, int links_left);
  void watch(const std::string& folder, const std::string& name);
  void read_events();
  bool matters(const Watched& watched, std::string_view name, std::uint32_t mask) const;
  static void on_event(int fd, short what, void* self);

  LibeventLoop& loop_;
  const std::vector<std::string> paths_;
  const std::function<void()> touched_;
  int fd_ = -1;
  event* event_ = nullptr;
  std::map<int, Watched> watched_;
};

class InotifyWatcher final : public FileWatcher {
 public:
  explicit InotifyWatcher(LibeventLoop& loop) : loop_(loop) {}
  std::unique_ptr<FileWatch> watch(std::vector<std::string> paths, std::function<void()> touched) override {
    return std::make_unique<InotifyWatch>(loop_, std::move(paths), std::move(touched));
  }

 private:
  LibeventLoop& loop_;
};

}  // namespace remora
