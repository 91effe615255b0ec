#include "proxy/sources/state_store.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proxy/sources/snapshot_builder.h"
#include "proxy/xds/endpoints_proto.h"
#include "remora/state/v1/state.pb.h"

namespace remora::sources {
namespace {

using StateMessage = remora::state::v1::State;

constexpr ResourceType kKept[] = {ResourceType::cluster, ResourceType::endpoint, ResourceType::listener,
                                  ResourceType::route};

// FNV-1a: proxies that share a directory have files of their own.
std::uint64_t hash(std::string_view text) {
  std::uint64_t result = 0xcbf29ce484222325;
  for (const char c : text) {
    result = (result ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return result;
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::unexpected<Error> failed(std::string_view what, const std::string& path) {
  return fail(fmt::format("--state-dir: cannot {} {}: {}", what, path, std::strerror(errno)));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno != EINTR) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(put, 0)));
  }
  return true;
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  char buffer[65536];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got == 0) {
      return text;
    }
    if (got < 0 && errno != EINTR) {
      return failed("read", path);
    }
    text.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
}

std::string time_text(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

State from_message(const StateMessage& message) {
  State result;
  result.written = message.written();
  for (const auto& type : message.resources()) {
    const auto known = type_of_url(type.type_url());
    if (!known) {
      continue;  // of a later version of ours
    }
    ResourceUpdate& update = result.updates.emplace_back();
    update.type = *known;
    update.version = type.system_version_info();
    for (const auto& resource : type.resources()) {
      update.set.push_back({resource.name(), resource.version(), resource.resource()});
    }
  }
  for (const auto& assignment : message.discovered()) {
    result.discovered[assignment.cluster_name()] = xds::endpoints_from_proto(assignment);
  }
  return result;
}

StateMessage to_message(const SnapshotBuilder& builder) {
  StateMessage result;
  for (const ResourceType type : kKept) {
    const TypeFacts facts = builder.facts(type);
    auto& to = *result.add_resources();
    to.set_type_url(std::string(type_url(type)));
    to.set_system_version_info(facts.version);
    for (const ResourceFacts& each : facts.resources) {
      if (each.body != nullptr) {
        auto& resource = *to.add_resources();
        resource.set_name(each.name);
        resource.set_version(each.version);
        *resource.mutable_resource() = *each.body;
      }
    }
  }
  for (const auto& [cluster, endpoints] : builder.discovered()) {
    xds::endpoints_to_proto(cluster, endpoints->endpoints, *result.add_discovered());
  }
  return result;
}

}  // namespace

StateStore::StateStore(std::string directory, const model::Node& node)
    : directory_(std::move(directory)),
      node_(node),
      path_(fmt::format("{}/snapshot-{:016x}.pb", directory_, hash(node.id + '\n' + node.cluster))) {}

Result<std::optional<State>> StateStore::load() const {
  const File file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.fd() < 0) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    return failed("open", path_);
  }
  struct stat facts{};
  if (fstat(file.fd(), &facts) != 0) {
    return failed("look at", path_);
  }
  if (facts.st_uid != geteuid() || (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(fmt::format("--state-dir: {} is not used: others than this proxy's user could have written it", path_));
  }
  auto text = read_all(file.fd(), path_);
  if (!text) {
    return std::unexpected(text.error());
  }
  StateMessage message;
  if (!message.ParseFromString(*text)) {
    return fail(fmt::format("--state-dir: {} is not used: it is damaged", path_));
  }
  if (message.node_id() != node_.id || message.node_cluster() != node_.cluster) {
    return fail(fmt::format("--state-dir: {} is not used: it is of node '{}', cluster '{}'", path_, message.node_id(),
                            message.node_cluster()));
  }
  return from_message(message);
}

Result<void> StateStore::save(const SnapshotBuilder& builder, WallTime now) const {
  StateMessage message = to_message(builder);
  message.set_node_id(node_.id);
  message.set_node_cluster(node_.cluster);
  message.set_written(time_text(now));
  if (mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
    return failed("make", directory_);
  }
  const std::string beside = fmt::format("{}.{}.new", path_, getpid());
  unlink(beside.c_str());
  {
    const File file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.fd() < 0) {
      return failed("write", beside);
    }
    if (!write_all(file.fd(), message.SerializeAsString()) || fsync(file.fd()) != 0) {
      auto error = failed("write", beside);
      unlink(beside.c_str());
      return error;
    }
  }
  if (rename(beside.c_str(), path_.c_str()) != 0) {
    auto error = failed("write", path_);
    unlink(beside.c_str());
    return error;
  }
  return {};
}

}  // namespace remora::sources
