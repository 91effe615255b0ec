#include "proxy/sources/consul_watches.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/consul/health_json.h"

namespace remora::sources {
namespace {

using Kind = WatchKey::Kind;

consul::WatchOptions options_of(const WatchKey& key) {
  consul::WatchOptions options;
  const std::string name = consul::escape(key.name);
  switch (key.kind) {
    case Kind::service:
      options.path = "/v1/health/service/" + name;
      break;
    case Kind::connect:
      options.path = "/v1/health/connect/" + name;
      break;
    default:
      options.path = fmt::format("/v1/query/{}/execute", name);
      options.poll_interval = key.poll_interval;
      break;
  }
  if (key.kind != Kind::prepared_query) {
    options.permissions = consul::health_permissions(key.name);
  }
  if (!key.datacenter.empty()) {
    options.query.emplace_back("dc", key.datacenter);
  }
  if (!key.near.empty()) {
    options.query.emplace_back("near", key.near);
  }
  return options;
}

}  // namespace

std::string to_string(const WatchKey& key) {
  const std::string_view what = key.kind == Kind::service   ? "service"
                                : key.kind == Kind::connect ? "sidecars of"
                                                            : "prepared query";
  return fmt::format("{} {}{}", what, key.name, key.datacenter.empty() ? "" : " in " + key.datacenter);
}

ServiceWatch::ServiceWatch(consul::Client& client, Random& random, WatchKey key)
    : key_(std::move(key)),
      client_(client),
      started_at_(client.loop().now()),
      watch_(client, random, options_of(key_), *this) {}

Result<void> ServiceWatch::on_answer(const std::string& body, bool after_gap) {
  const consul::HealthOptions options{.keep_output = key_.keep_output};
  auto entries = key_.kind == Kind::prepared_query ? consul::parse_prepared_query(body, options)
                                                   : consul::parse_health(body, options);
  if (!entries) {
    return std::unexpected(std::move(entries.error()));
  }
  if (*entries != entries_) {
    entries_ = std::move(*entries);
    ++changes_;
  }
  confirmed(after_gap);
  return {};
}

void ServiceWatch::on_unchanged(bool after_gap) { confirmed(after_gap); }

void ServiceWatch::confirmed(bool after_gap) {
  // A very first answer that came at the first try follows no outage that anybody lived through.
  after_gap_ = after_gap && (answered_at_.has_value() || failures_ > 0);
  answered_at_ = client_.loop().now();
  failing_.clear();
  tell();
}

void ServiceWatch::on_failure(const consul::Failure& failure) {
  ++failures_;
  failing_ = failure.words;
  tell();
}

void ServiceWatch::tell() {
  for (WatchUser* user : std::vector<WatchUser*>(users_)) {
    user->on_watch(*this);
  }
}

ServiceWatch& ConsulWatches::use(const WatchKey& key, WatchUser& user) {
  auto& watch = watches_[key];
  if (watch == nullptr) {
    watch = std::make_unique<ServiceWatch>(client_, random_, key);
  }
  watch->users_.push_back(&user);
  return *watch;
}

void ConsulWatches::release(ServiceWatch& watch, WatchUser& user) {
  watch.users_.erase(std::ranges::find(watch.users_, &user));
  if (watch.users_.empty()) {
    watches_.erase(watches_.find(watch.key()));
  }
}

}  // namespace remora::sources
