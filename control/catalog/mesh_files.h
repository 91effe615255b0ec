// MeshFiles: a catalog out of files and folders: which files they are, their text, and the whole of it read, put
// together and looked over. A file whose bytes did not change is not read anew, so that its values stay the same ones.
// Owned by whoever loads; main thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalog/catalog.h"
#include "control/catalog/document.h"
#include "control/catalog/validate.h"

namespace remora::catalog {

struct Loaded {
  CatalogPtr catalog;  // null when there is an error among the findings
  Findings findings;   // in the order of files and lines
  std::vector<std::string> files;
  bool changed = true;  // since the reading before: other files, other bytes, or other reasons why not
};

class MeshFiles {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;  // of a file: more is no mesh
  static constexpr std::size_t kMaxFiles = 10'000;

  // Each is a file, or a folder, of which *.yaml, *.yml and *.json are taken, in the order of their names; folders in
  // folders, and names that begin with '.', are not (Kubernetes keeps `..data` there).
  explicit MeshFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  Loaded load();
  // Says by sizes, times and inodes whether a reading may find something new. Reads nothing.
  std::string signature() const;
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  struct Read {
    std::string text;
    config::ConfigErrors errors;
    std::shared_ptr<const Document> document;
  };

  std::vector<std::string> list(config::ConfigErrors& errors) const;
  Read read(const std::string& file, config::ConfigErrors& errors, bool& changed);

  const std::vector<std::string> paths_;
  std::map<std::string, Read> known_;
  config::ConfigErrors unreadable_;  // what the last reading could not read at all
  bool loaded_ = false;
};

// One text as a document: JSON when the name ends with .json, else YAML.
std::shared_ptr<const Document> read_text(std::string_view text, const std::string& file, config::ConfigErrors& errors);

}  // namespace remora::catalog
