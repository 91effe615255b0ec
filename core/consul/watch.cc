#include "core/consul/watch.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace remora::consul {
namespace {

std::uint64_t hash_of(const std::string& body) { return std::hash<std::string>{}(body); }

}  // namespace

Watch::Watch(Client& client, Random& random, WatchOptions options, WatchEvents& events)
    : client_(client), random_(random), options_(std::move(options)), events_(events) {
  next_.bind<&Watch::ask>(this);
  ask();
}

void Watch::ask() {
  Request request{.path = options_.path, .query = options_.query};
  request.timeout = options_.answer_within;
  // An agent that restarted may count from a lower index, and would let us wait for ours: an index goes only to whom it
  // came from, by the same connection.
  const bool blocks = options_.poll_interval.count() == 0;
  const bool same_agent = client_.is_kept(connection_);
  gap_ = gap_ || (blocks && answered_ && !same_agent);
  blocked_ = blocks && index_ > 0 && same_agent && !std::exchange(look_twice_, false);
  if (blocked_) {
    request.query.emplace_back("index", std::to_string(index_));
    request.query.emplace_back("wait", fmt::format("{}ms", options_.wait.count()));
    request.timeout += options_.wait + options_.wait / 16;
    request.connection = connection_;
    request.replay = false;
  }
  asked_at_ = client_.loop().now();
  call_ = client_.start(std::move(request), [this](Outcome outcome) { on_outcome(std::move(outcome)); });
}

void Watch::on_outcome(Outcome outcome) {
  if (outcome) {
    on_success(*outcome);
  } else {
    on_failure(std::move(outcome.error()));
  }
}

// Consul's rules: an index that goes back begins anew; one that is not above zero would make us spin, and 1 is always
// safe to block on.
void Watch::take_index(const Answer& answer) {
  const std::uint64_t index = answer.index.value_or(0);
  if (index < index_) {
    gap_ = true;
    index_ = 0;
    return;
  }
  index_ = std::max<std::uint64_t>(index, 1);
}

void Watch::on_success(const Answer& answer) {
  if (answer.filtered && !options_.permissions.empty()) {
    on_failure({Failure::Reason::refused,
                fmt::format("Consul at {}, GET {}: its ACLs leave out what the token may not see, so that the answer "
                            "cannot be told from one of nobody",
                            client_.agents(), options_.path),
                answer.status});
    return;
  }
  // Its streaming backend, which answers blocking queries, leaves out in silence what the token may no longer see.
  static constexpr std::string_view kNobody = "[]";
  const bool nobody = answer.body.starts_with(kNobody) && answer.body.size() <= kNobody.size() + 1;
  if (nobody && blocked_ && !options_.permissions.empty() && answered_ && hash_ != hash_of(answer.body)) {
    look_twice_ = true;
    ask();
    return;
  }
  connection_ = answer.connection;
  if (options_.poll_interval.count() == 0) {
    take_index(answer);
  }
  gap_ = gap_ || answer.known_leader == false;
  const bool gap = gap_;
  const std::uint64_t hash = hash_of(answer.body);
  const bool same = answered_ && hash == hash_;

  // Set up what comes next before telling: whoever is told may end the watch.
  const MonotonicTime now = client_.loop().now();
  const Nanoseconds interval = std::max(options_.poll_interval, options_.least_interval);
  const Nanoseconds elapsed = now - asked_at_;
  client_.loop().arm(next_, std::max(interval - elapsed, Nanoseconds(0)));
  if (same) {
    gap_ = answer.known_leader == false;
    failures_ = 0;
    events_.on_unchanged(gap);
    return;
  }
  const auto before = std::exchange(answered_, true);
  const std::uint64_t hash_before = std::exchange(hash_, hash);
  gap_ = answer.known_leader == false;
  const std::uint32_t failures_before = std::exchange(failures_, 0);
  if (auto used = events_.on_answer(answer.body, gap); !used) {
    answered_ = before;
    hash_ = hash_before;
    gap_ = true;
    failures_ = failures_before;
    on_failure({Failure::Reason::malformed,
                fmt::format("Consul at {}, GET {}: {}", client_.agents(), options_.path, used.error().message),
                answer.status});
  }
}

void Watch::on_failure(Failure failure) {
  if (failure.reason == Failure::Reason::refused && !options_.permissions.empty()) {
    failure.words += "; the token needs " + options_.permissions;
  }
  gap_ = true;
  index_ = 0;  // whatever answers next may be another agent, or one that lost its state
  ++failures_;
  client_.loop().arm(next_, jittered_backoff());
  events_.on_failure(failure);
}

std::string health_permissions(const std::string& service) {
  return fmt::format("service:read on '{}' and node:read", service);
}

// Doubles with each failure in a row; half of it is chance, so that a thousand proxies do not come back as one.
Nanoseconds Watch::jittered_backoff() {
  const std::uint32_t doublings = std::min(failures_ - 1, 16U);
  const Milliseconds most = std::min(options_.first_backoff * (1U << doublings), options_.most_backoff);
  const auto half = static_cast<std::uint64_t>(Nanoseconds(most).count()) / 2;
  return Nanoseconds(half + random_.below(half + 1));
}

}  // namespace remora::consul
