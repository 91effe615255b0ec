#include "proxy/sources/file_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/sources/text_response.h"

namespace remora::sources {
namespace {

bool same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

Result<TextResponse> read_binary(const std::string& bytes, const std::string& path, ResourceType type) {
  envoy::service::discovery::v3::DiscoveryResponse response;
  if (!response.ParseFromString(bytes)) {
    return fail(fmt::format("{}: is no DiscoveryResponse", path));
  }
  TextResponse result;
  result.update.type = type;
  result.update.version = response.version_info();
  result.update.whole = type == ResourceType::cluster || type == ResourceType::listener;
  for (const auto& any : response.resources()) {
    result.update.set.push_back(unwrap(any, response.version_info()));
  }
  return result;
}

}  // namespace

FileFeed::FileFeed(Loop& loop, FileWatcher* watcher, const xds::ConfigSource& source, ResourceType type,
                   FeedEvents events)
    : loop_(loop),
      path_(source.path),
      watched_(source.watched_directory.empty() ? source.path : source.watched_directory),
      type_(type),
      events_(std::move(events)) {
  quiet_.bind<&FileFeed::read>(this);
  look_.bind<&FileFeed::look>(this);
  facts_.address = path_;
  if (watcher != nullptr) {
    watch_ = watcher->watch({watched_}, [this] { touched(); });
  }
  loop_.arm(quiet_, Nanoseconds(0));
  loop_.arm(look_, kLookEvery);
}

void FileFeed::want(ResourceType, const std::set<std::string>& names) {
  const bool more = !std::ranges::includes(names_, names);
  names_ = names;
  if (more) {
    loop_.arm(quiet_, Nanoseconds(0));
  }
}

void FileFeed::touched() {
  if (!quiet_.armed()) {
    loop_.arm(quiet_, kQuiet);
  }
}

void FileFeed::look() {
  loop_.arm(look_, kLookEvery);
  struct stat now{};
  if (stat(watched_.c_str(), &now) == 0 && !same(now, read_) && same(now, looked_)) {
    loop_.arm(quiet_, Nanoseconds(0));
  }
  looked_ = now;
}

void FileFeed::read() {
  read_ = {};
  stat(watched_.c_str(), &read_);  // before it is read: what changes then is seen by the next look
  std::ifstream file(path_, std::ios::binary);
  std::ostringstream text;
  if (!file) {
    say(fmt::format("{}: {}", path_, std::strerror(errno)));
    return;
  }
  if (!(text << file.rdbuf())) {
    say(fmt::format("{}: cannot be read, or is empty", path_));
    return;
  }
  auto response =
      path_.ends_with(".pb") ? read_binary(text.str(), path_, type_) : read_text_response(text.str(), path_, type_);
  if (!response) {
    say(response.error().message);
    return;
  }
  facts_.connected = true;
  facts_.last_error.clear();
  std::erase_if(response->update.set, [this](const Resource& each) {
    return type_ != ResourceType::cluster && type_ != ResourceType::listener && !names_.contains(each.name);
  });
  const auto rejections = events_.apply(response->update, response->rejections);
  ++(rejections.empty() ? facts_.acks : facts_.nacks);
}

void FileFeed::say(std::string words) {
  if (words != facts_.last_error) {
    ++facts_.failures;
    events_.log(LogLevel::warn, fmt::format("{}; the last good configuration goes on", words));
  }
  facts_.connected = false;
  facts_.last_error = std::move(words);
  if (events_.failed) {
    events_.failed();
  }
}

}  // namespace remora::sources
