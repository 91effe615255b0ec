#include "core/consul/registration.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace remora::consul {
namespace {

constexpr Milliseconds kFirstBackoff{500};
constexpr Milliseconds kMostBackoff{15'000};
// Without a TTL check of ours: how often we look whether the agent still knows the service.
constexpr Milliseconds kLookInterval{30'000};

}  // namespace

Registration::Registration(Client& client, Random& random, ServiceDefinition service,
                           std::function<void(const std::string&)> tell)
    : client_(client), random_(random), service_(std::move(service)), tell_(std::move(tell)) {
  next_.bind<&Registration::act>(this);
  limit_.bind<&Registration::on_limit>(this);
  act();
}

// The one question that the state asks for.
void Registration::act() {
  switch (state_) {
    case State::registering:
      ask("/v1/agent/service/register", registration_json(service_));
      break;
    case State::registered:
      if (service_.ttl.count() > 0) {
        ask("/v1/agent/check/pass/" + escape(proxy_check()), "");
      } else {
        call_ = client_.start({.path = "/v1/agent/service/" + escape(id())},
                              [this](Outcome outcome) { on_outcome(outcome); });
      }
      break;
    case State::leaving:
      ask("/v1/agent/service/deregister/" + escape(id()), "");
      break;
    default:
      break;
  }
}

void Registration::ask(std::string path, std::string body) {
  Request request{.method = "PUT", .path = std::move(path), .body = std::move(body), .timeout = Seconds(5)};
  if (state_ == State::registering) {
    request.query.emplace_back("replace-existing-checks", "true");
  }
  call_ = client_.start(std::move(request), [this](Outcome outcome) { on_outcome(outcome); });
}

void Registration::on_outcome(const Outcome& outcome) {
  if (!outcome) {
    on_failure(outcome.error());
    return;
  }
  failures_ = 0;
  if (state_ == State::leaving) {
    finish(true);
    return;
  }
  if (!failing_.empty() || state_ == State::registering) {
    failing_.clear();
    tell_(fmt::format("service {} is registered at Consul", id()));
  }
  state_ = State::registered;
  client_.loop().arm(next_, service_.ttl.count() > 0 ? Nanoseconds(service_.ttl) / 3 : jittered(kLookInterval));
}

void Registration::on_failure(const Failure& failure) {
  // The agent does not know it: it restarted without its data, or somebody deregistered it.
  const bool forgotten = failure.status == 404 || failure.words.find("Unknown check") != std::string::npos ||
                         failure.words.find("Unknown service") != std::string::npos;
  if (state_ == State::leaving && forgotten) {
    finish(true);
    return;
  }
  if (state_ == State::registered && forgotten) {
    tell_(fmt::format("Consul does not know service {} any more: registering it again", id()));
    state_ = State::registering;
    act();
    return;
  }
  if (failing_.empty()) {
    tell_(fmt::format("{}: trying again", failure.words));
  }
  failing_ = failure.words;
  const std::uint32_t doublings = std::min(failures_++, 16U);
  client_.loop().arm(next_, jittered(std::min(kFirstBackoff * (1U << doublings), kMostBackoff)));
}

Nanoseconds Registration::jittered(Nanoseconds time) {
  const auto half = static_cast<std::uint64_t>(time.count()) / 2;
  return Nanoseconds(half + random_.below(half + 1));
}

void Registration::leave(Milliseconds limit, std::function<void(bool)> done) {
  done_ = std::move(done);
  client_.loop().arm(limit_, limit);
  state_ = State::leaving;
  failures_ = 0;
  next_.cancel();
  act();
}

void Registration::on_limit() { finish(false); }

void Registration::finish(bool gone) {
  state_ = State::gone;
  next_.cancel();
  limit_.cancel();
  call_.reset();
  if (const auto done = std::exchange(done_, nullptr)) {
    done(gone);  // may destroy *this
  }
}

}  // namespace remora::consul
