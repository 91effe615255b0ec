#include "control/catalog/mesh_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <tuple>

#include "control/catalog/builder.h"
#include "control/catalog/stable_order.h"
#include "core/base/result.h"
#include "core/config/json_tree.h"

namespace remora::catalog {
namespace {

bool is_mesh_file(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

std::unexpected<Error> cannot_read(int error) { return fail(fmt::format("cannot be read: {}", std::strerror(error))); }

Result<std::vector<std::string>> list_folder(const std::string& path) {
  DIR* folder = opendir(path.c_str());
  if (folder == nullptr) {
    return cannot_read(errno);
  }
  std::vector<std::string> files;
  while (const dirent* entry = readdir(folder)) {
    const std::string file = (path.ends_with('/') ? path : path + "/") + entry->d_name;
    struct stat about{};
    if (is_mesh_file(entry->d_name) && (stat(file.c_str(), &about) != 0 || !S_ISDIR(about.st_mode))) {
      files.push_back(file);  // one that has gone meanwhile is reported when it is read
    }
  }
  closedir(folder);
  std::ranges::sort(files);
  return files;
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return cannot_read(errno);
  }
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      const int error = errno;
      close(fd);
      return got == 0 ? Result<std::string>(std::move(text)) : cannot_read(error);
    }
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > most) {
      close(fd);
      return fail(fmt::format("is longer than {} bytes: is it a mesh file?", most));
    }
  }
}

config::ConfigError whole_file(const std::string& file, std::string message) {
  return {file, 0, 0, {}, std::move(message)};
}

Result<std::vector<std::string>> files_of(const std::string& path) {
  struct stat about{};
  if (stat(path.c_str(), &about) != 0) {
    return cannot_read(errno);
  }
  if (!S_ISDIR(about.st_mode)) {
    return std::vector<std::string>{path};
  }
  auto files = list_folder(path);
  if (files && files->empty()) {
    return fail("holds no *.yaml, *.yml or *.json");
  }
  return files;
}

bool same(const config::ConfigErrors& a, const config::ConfigErrors& b) {
  return std::ranges::equal(a, b, {}, &config::ConfigError::to_string, &config::ConfigError::to_string);
}

constexpr std::size_t kMostSorted = 10'000;  // findings: nobody reads more

// Puts the documents together and looks them over.
void judge(const std::vector<std::shared_ptr<const Document>>& documents, config::ConfigErrors errors, Loaded& loaded) {
  const bool readable = errors.empty();
  const auto catalog = build_catalog(documents, errors);
  for (config::ConfigError& error : errors) {
    loaded.findings.push_back({Severity::error, std::move(error)});
  }
  if (readable) {  // what could not be read would be missed everywhere else
    const Findings findings = validate(*catalog);
    loaded.findings.insert(loaded.findings.end(), findings.begin(), findings.end());
  }
  if (!has_errors(loaded.findings)) {
    loaded.catalog = catalog;
  }
  const auto file_at = [&](const Finding& finding) {
    return std::ranges::find(loaded.files, finding.what.file) - loaded.files.begin();
  };
  if (loaded.findings.size() < kMostSorted) {
    sort_stably(loaded.findings, [&](const Finding& finding) {
      return std::tuple(file_at(finding), finding.what.line, finding.what.column);
    });
  }
}

}  // namespace

std::shared_ptr<const Document> read_text(std::string_view text, const std::string& file,
                                          config::ConfigErrors& errors) {
  const auto tree =
      file.ends_with(".json") ? config::parse_json(text, file, errors) : config::YamlTree::parse(text, file, errors);
  auto document = std::make_shared<Document>();
  if (errors.empty()) {  // half a tree would only add errors that are none
    Reading reading{std::make_shared<const std::string>(file), Dialect::file, {}};
    *document = read_document(*tree, reading);
    errors = std::move(reading.errors);
  }
  return document;
}

MeshFiles::Read MeshFiles::read(const std::string& file, config::ConfigErrors& errors, bool& changed) {
  auto text = read_file(file, kMaxBytes);
  if (!text) {
    errors.push_back(whole_file(file, text.error().message));
    return {};
  }
  if (const auto known = known_.find(file);
      known != known_.end() && known->second.document != nullptr && known->second.text == *text) {
    return std::move(known->second);
  }
  changed = true;
  Read result{std::move(*text), {}, nullptr};
  result.document = read_text(result.text, file, result.errors);
  return result;
}

std::vector<std::string> MeshFiles::list(config::ConfigErrors& errors) const {
  std::vector<std::string> all;
  std::set<std::string> seen;  // the same file may come by two paths
  for (const std::string& path : paths_) {
    auto files = files_of(path);
    if (!files) {
      errors.push_back(whole_file(path, files.error().message));
      continue;
    }
    for (std::string& file : *files) {
      if (seen.insert(file).second) {
        all.push_back(std::move(file));
      }
    }
  }
  if (all.size() > kMaxFiles) {
    errors.push_back(whole_file(paths_.front(), fmt::format("{} files are more than {}", all.size(), kMaxFiles)));
    all.resize(kMaxFiles);
  }
  return all;
}

Loaded MeshFiles::load() {
  Loaded loaded;
  config::ConfigErrors errors;
  loaded.files = list(errors);
  std::map<std::string, Read> now;
  std::vector<std::shared_ptr<const Document>> documents;
  config::ConfigErrors unreadable = errors;
  config::ConfigErrors wrong;
  loaded.changed = false;
  for (const std::string& file : loaded.files) {
    const Read& read_now = now[file] = read(file, unreadable, loaded.changed);
    wrong.insert(wrong.end(), read_now.errors.begin(), read_now.errors.end());
    if (read_now.document != nullptr) {
      documents.push_back(read_now.document);
    }
  }
  loaded.changed = loaded.changed || !loaded_ || now.size() != known_.size() || !same(unreadable, unreadable_);
  loaded_ = true;
  known_ = std::move(now);
  unreadable_ = unreadable;
  errors = std::move(unreadable);
  errors.insert(errors.end(), wrong.begin(), wrong.end());
  judge(documents, std::move(errors), loaded);
  return loaded;
}

std::string MeshFiles::signature() const {
  config::ConfigErrors errors;
  std::string out;
  for (const std::string& file : list(errors)) {
    struct stat about{};
    if (stat(file.c_str(), &about) == 0) {
      out += fmt::format("{} {} {} {}.{}\n", file, about.st_ino, about.st_size, about.st_mtim.tv_sec,
                         about.st_mtim.tv_nsec);
    }
  }
  return out;
}

}  // namespace remora::catalog
