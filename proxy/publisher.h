// Publisher: hands a snapshot to all workers, one round at a time. Where it opens listeners the first worker goes
// ahead: what is wrong with an address is said once, and ports that the system chooses are known to the others. What
// comes while a round goes on waits, and only the latest of it. What a round replaced is kept until no worker uses it,
// so that its destruction, which may be long, is never a worker's. Owned by Sidecar; main thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/event/loop.h"
#include "proxy/prepared.h"
#include "proxy/worker.h"

namespace remora::proxy {

// A worker, to the publisher. Implemented by WorkerThread.
class PublishTarget {
 public:
  // `done` is called once, on any thread.
  virtual void apply(std::shared_ptr<const Prepared> prepared, std::function<void(Applied)> done) = 0;

 protected:
  ~PublishTarget() = default;
};

class Publisher {
 public:
  struct Result {
    std::shared_ptr<const model::Snapshot> snapshot;
    std::vector<ListenerError> errors;  // all else of the snapshot holds
    bool superseded = false;            // a later one came before this one's turn: it was never applied
  };
  using Done = std::function<void(const Result&)>;

  // A listener that could not be opened is tried again this often.
  static constexpr Seconds kRetry{5};

  // All that it is given outlives it. `observer` hears of each round that ended, before its own `done` does.
  // `ahead` sees what is prepared before any worker does.
  Publisher(Loop& loop, upstream::SharedState& shared, Done observer = {},
            std::function<void(const Prepared&)> ahead = {});
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void add_worker(PublishTarget& worker) { workers_.push_back(&worker); }

  // Always calls `done`, on a later turn.
  void publish(std::shared_ptr<const model::Snapshot> snapshot, Done done = {});

  // What all workers run; null before the first round's end.
  const std::shared_ptr<const Prepared>& current() const { return current_; }
  struct Listening {
    std::shared_ptr<const model::Listener> config;
    Address address;
  };
  // What is open, of `current` or of what came before it.
  const std::vector<Listening>& listening() const { return listening_; }
  std::size_t buried() const { return graveyard_.size(); }

 private:
  struct Round {
    std::shared_ptr<const model::Snapshot> snapshot;
    Done done;
    std::shared_ptr<const Prepared> prepared = nullptr;
    std::vector<ListenerError> errors = {};
    std::size_t outstanding = 0;
    bool led = false;  // the first worker goes ahead
  };

  void start(Round round);
  bool opens_listeners(const Prepared& prepared) const;
  void send(std::size_t worker);
  void on_applied(std::size_t worker, Applied applied);
  void follow(const Applied& first);
  void finish();
  void note_listening();
  void bury(std::shared_ptr<const Prepared> old);
  void visit_graveyard();
  void retry();

  Loop& loop_;
  upstream::SharedState& shared_;
  const Done observer_;
  const std::function<void(const Prepared&)> ahead_;
  std::vector<PublishTarget*> workers_;
  std::shared_ptr<const Prepared> current_;
  std::vector<Listening> listening_;
  std::optional<Round> going_;
  std::optional<Round> next_;
  std::vector<std::shared_ptr<const void>> graveyard_;
  Timer graveyard_timer_;
  Timer retry_timer_;
};

}  // namespace remora::proxy
