#include "core/event/inotify_watch.h"

#include <event2/event.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>

namespace remora {
namespace {

constexpr std::uint32_t kMask =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr int kMaxLinks = 40;  // on the way to one file, as in the kernel

std::optional<std::string> read_link(const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = readlink(path.c_str(), target.data(), target.size());
  if (length < 0) {
    return std::nullopt;
  }
  target.resize(static_cast<std::size_t>(length));
  return target;
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
  const std::map<int, Watched> before = std::exchange(watched_, {});
  for (const std::string& path : paths_) {
    watch_way(path, kMaxLinks);
  }
  for (const auto& [id, watched] : before) {
    if (!watched_.contains(id)) {
      inotify_rm_watch(fd_, id);
    }
  }
}

// From the beginning of a path to its end: each symbolic link, since another may take its place, and where it leads;
// the first name that is not there, since it may come; and the end itself.
void InotifyWatch::watch_way(const std::string& path, int links_left) {
  std::string folder = path.starts_with('/') ? "/" : ".";
  std::size_t at = path.find_first_not_of('/');
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string name = path.substr(at, end - at);
    at = std::min(path.find_first_not_of('/', end), path.size());
    const std::string here = (folder == "/" ? "" : folder) + "/" + name;
    struct stat about{};
    if (lstat(here.c_str(), &about) != 0) {
      watch(folder, name);
      return;
    }
    if (S_ISLNK(about.st_mode)) {
      watch(folder, name);
      const auto target = read_link(here);
      if (target && links_left > 0) {
        const std::string base = target->starts_with('/') ? "" : folder + "/";
        watch_way(base + *target + "/" + path.substr(at), links_left - 1);
      }
      return;
    }
    if (at >= path.size()) {
      watch(folder, name);
      if (!S_ISDIR(about.st_mode)) {
        return;
      }
    }
    folder = here;
  }
  watch(folder, {});  // a folder: all that is in it
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

bool InotifyWatch::matters(const Watched& watched, std::string_view name, std::uint32_t mask) const {
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

}  // namespace remora
