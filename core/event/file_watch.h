// FileWatcher: tells when files or folders may have changed; what changed is for whoever asked to find out. The seam
// behind which inotify stands, so that a test can play it. Made by main's wiring; its loop's thread. FileWatch: one
// wish to be told. Owned by who wished; ends when it dies.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace remora {

class FileWatch {
 public:
  FileWatch() = default;
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;
  virtual ~FileWatch() = default;
};

class FileWatcher {
 public:
  virtual ~FileWatcher() = default;
  // Of a file: when another one stands at its path, or it was written and closed. Of a folder: the same of whatever is
  // in it. `touched` is called on later turns. Not every file system tells, so look now and then too.
  [[nodiscard]] virtual std::unique_ptr<FileWatch> watch(std::vector<std::string> paths,
                                                         std::function<void()> touched) = 0;
};

}  // namespace remora
