#include "proxy/publisher.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace remora::proxy {
namespace {

constexpr Milliseconds kGraveyardVisits{1000};

}  // namespace

Publisher::Publisher(Loop& loop, upstream::SharedState& shared, Done observer,
                     std::function<void(const Prepared&)> ahead)
    : loop_(loop), shared_(shared), observer_(std::move(observer)), ahead_(std::move(ahead)) {
  graveyard_timer_.bind<&Publisher::visit_graveyard>(this);
  retry_timer_.bind<&Publisher::retry>(this);
}

void Publisher::publish(std::shared_ptr<const model::Snapshot> snapshot, Done done) {
  Round round{.snapshot = std::move(snapshot), .done = std::move(done)};
  if (!going_) {
    start(std::move(round));
    return;
  }
  if (next_ && next_->done) {
    loop_.post([done = std::move(next_->done), snapshot = next_->snapshot] {
      done({.snapshot = snapshot, .errors = {}, .superseded = true});
    });
  }
  next_ = std::move(round);
}

void Publisher::start(Round round) {
  retry_timer_.cancel();
  going_ = std::move(round);
  going_->prepared = std::make_shared<const Prepared>(prepare(going_->snapshot, shared_, current_.get()));
  if (ahead_) {
    ahead_(*going_->prepared);
  }
  going_->led = opens_listeners(*going_->prepared);
  going_->outstanding = workers_.size();
  for (std::size_t i = 0; i < (going_->led ? 1 : workers_.size()); ++i) {
    send(i);
  }
}

bool Publisher::opens_listeners(const Prepared& prepared) const {
  return !std::ranges::all_of(prepared.listeners, [&](const PreparedListener& each) {
    return std::ranges::any_of(listening_, [&](const Listening& open) { return open.address == each.address; });
  });
}

void Publisher::send(std::size_t worker) {
  workers_[worker]->apply(going_->prepared, [this, worker](Applied applied) {
    loop_.post([this, worker, applied = std::move(applied)]() mutable { on_applied(worker, std::move(applied)); });
  });
}

void Publisher::on_applied(std::size_t worker, Applied applied) {
  Round& round = *going_;
  if (worker == 0 && round.led) {
    follow(applied);
  }
  for (ListenerError& error : applied.errors) {
    const auto same = [&](const ListenerError& known) { return known.listener == error.listener; };
    if (std::ranges::none_of(round.errors, same)) {
      round.errors.push_back(std::move(error));
    }
  }
  if (worker == 0 && round.led) {
    for (std::size_t i = 1; i < workers_.size(); ++i) {
      send(i);
    }
  }
  if (--round.outstanding == 0) {
    finish();
  }
}

// What the first worker found out: where it listens, and where nobody can.
void Publisher::follow(const Applied& first) {
  auto found = std::make_shared<Prepared>(*going_->prepared);
  for (std::size_t i = 0; i < found->listeners.size(); ++i) {
    PreparedListener& listener = found->listeners[i];
    listener.address = first.addresses[i];
    listener.open = std::ranges::none_of(
        first.errors, [&](const ListenerError& error) { return error.listener == listener.config->name; });
  }
  going_->prepared = std::move(found);
}

void Publisher::finish() {
  Round round = *std::move(going_);
  going_.reset();
  bury(std::exchange(current_, std::move(round.prepared)));
  note_listening();
  if (!round.errors.empty()) {
    loop_.arm(retry_timer_, kRetry);
  }
  const Result result{.snapshot = round.snapshot, .errors = std::move(round.errors)};
  if (observer_) {
    observer_(result);
  }
  if (round.done) {
    round.done(result);
  }
  if (next_ && !going_) {
    Round next = *std::move(next_);
    next_.reset();
    start(std::move(next));
  }
}

void Publisher::note_listening() {
  std::vector<Listening> now;
  for (const PreparedListener& each : current_->listeners) {
    if (each.open) {
      now.push_back({each.config, each.address});
      continue;
    }
    const auto before = std::ranges::find_if(
        listening_, [&](const Listening& known) { return known.config->name == each.config->name; });
    if (before != listening_.end()) {
      now.push_back(*before);
    }
  }
  listening_ = std::move(now);
}

void Publisher::retry() {
  if (!going_) {
    start({.snapshot = current_->snapshot, .done = {}});
  }
}

// Keeps all that the current round has no use for. Workers drop theirs when the last request is done with it.
void Publisher::bury(std::shared_ptr<const Prepared> old) {
  if (!old) {
    return;
  }
  std::unordered_set<const void*> kept;
  for (const auto& cluster : current_->clusters) {
    kept.insert(cluster.get());
    kept.insert(cluster->config.get());
  }
  for (const PreparedListener& listener : current_->listeners) {
    kept.insert(listener.config.get());
    kept.insert(listener.routes.get());
  }
  const auto keep = [&](const auto& part) {
    if (!kept.contains(part.get())) {
      graveyard_.push_back(part);
    }
  };
  for (const auto& cluster : old->clusters) {
    keep(cluster->config);
    keep(cluster);
  }
  for (const PreparedListener& listener : old->listeners) {
    keep(listener.config);
    keep(listener.routes);
  }
  if (old->snapshot != current_->snapshot) {
    graveyard_.push_back(old->snapshot);
  }
  graveyard_.push_back(std::move(old));
  loop_.arm(graveyard_timer_, kGraveyardVisits);
}

// In the order of burial reversed: who holds others goes first.
void Publisher::visit_graveyard() {
  for (std::size_t i = graveyard_.size(); i-- > 0;) {
    if (graveyard_[i].use_count() == 1) {
      graveyard_[i].reset();
    }
  }
  std::erase(graveyard_, nullptr);
  if (!graveyard_.empty()) {
    loop_.arm(graveyard_timer_, kGraveyardVisits);
  }
}

}  // namespace remora::proxy
