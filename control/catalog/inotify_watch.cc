#include "control/catalog/inotify_watch.h"

#include <event2/event.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <utility>

namespace remora::catalog {
namespace {

constexpr std::uint32_t kMask =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::pair<std::string, std::string> split_path(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return {".", path};
  }
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

bool is_folder(const std::string& path) {
  struct stat about{};
  return stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

std::string real_path(const std::string& path) {
  char* resolved = realpath(path.c_str(), nullptr);
  if (resolved == nullptr) {
    return path;
  }
  std::string result(resolved);
  free(resolved);
  return result;
}

}  // namespace

InotifyWatch::InotifyWatch(LibeventLoop& loop, std::vector<std::string> paths, std::function<void()> touched)
    : loop_(loop), paths_(std::move(paths)), touched_(std::move(touched)) {
  fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd_ < 0) {
    return;
  }
  event_ = event_new(loop_.base(), fd_, EV_READ | EV_PERSIST, &InotifyWatch::on_event, this);
  event_add(event_, nullptr);
  watch_all();
}

InotifyWatch::~InotifyWatch() {
  if (event_ != nullptr) {
    event_free(event_);
  }
  if (fd_ >= 0) {
    close(fd_);
  }
}

// Anew after each event: what a path leads to may be another folder now. A watch that is there already stays.
void InotifyWatch::watch_all() {
  watched_.clear();
  for (const std::string& path : paths_) {
    const std::string real = real_path(path);
    for (const std::string& one : {path, real}) {
      if (is_folder(one)) {
        watch(one, {});
      }
      const auto [folder, name] = split_path(one);
      watch(folder, name);
    }
  }
}

void InotifyWatch::watch(const std::string& folder, const std::string& name) {
  const int id = inotify_add_watch(fd_, folder.c_str(), kMask);
  if (id < 0) {
    return;
  }
  const auto [found, fresh] = watched_.try_emplace(id, Watched{folder, {}});
  Watched& watched = found->second;
  if (name.empty()) {
    watched.names.clear();
  } else if (fresh || !watched.names.empty()) {
    watched.names.push_back(name);
  }
}

void InotifyWatch::on_event(int, short, void* self) {
  auto* watch = static_cast<InotifyWatch*>(self);
  watch->loop_.enter_turn();
  watch->read_events();
}

void InotifyWatch::read_events() {
  alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  bool any = false;
  while (true) {
    const ssize_t got = read(fd_, buffer, sizeof(buffer));
    if (got <= 0) {
      break;
    }
    for (ssize_t at = 0; at < got;) {
      const auto* one = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + one->len);
      const auto found = watched_.find(one->wd);
      const std::string_view name = one->len > 0 ? std::string_view(one->name) : std::string_view();
      any = any || (one->mask & IN_Q_OVERFLOW) != 0 ||
            (found != watched_.end() && matters(found->second, name, one->mask));
    }
  }
  if (any) {
    watch_all();
    touched_();
  }
}

bool InotifyWatch::matters(const Watched& watched, std::string_view name, unsigned mask) const {
  const bool linked = name.starts_with("..");  // Kubernetes' ..data, and the folder that it leads to
  const bool named = watched.names.empty()
                         ? linked || name.empty() || !name.starts_with('.')
                         : linked || name.empty() || std::ranges::find(watched.names, name) != watched.names.end();
  if (!named) {
    return false;
  }
  // A file that was just made is empty yet: IN_CLOSE_WRITE will tell. A link, by either kind, is all there.
  if ((mask & IN_CREATE) != 0) {
    struct stat about{};
    const std::string path = watched.folder + "/" + std::string(name);
    return lstat(path.c_str(), &about) == 0 && (!S_ISREG(about.st_mode) || about.st_nlink > 1);
  }
  return true;
}

}  // namespace remora::catalog
