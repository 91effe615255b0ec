// Loop: what a thread of ours runs on: time, timers, and the order of a turn. A turn is: readiness events, due timers,
// tasks for this turn, tasks for the turn's end (flushes), and last the destruction of what retired. One a thread;
// everything but `post` is for its own thread. Implementations: LibeventLoop, and tests/sim's SimLoop.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "core/base/time.h"
#include "core/event/timer_queue.h"

namespace remora {

// What may retire: an object that ends inside its own callback hands itself to the loop, which destroys it at the end
// of the turn, when nothing of it is on the stack.
class Retirable {
 public:
  Retirable() = default;
  Retirable(const Retirable&) = delete;
  Retirable& operator=(const Retirable&) = delete;
  virtual ~Retirable() = default;

 private:
  friend class Loop;
  Retirable* next_retired_ = nullptr;
};

class TaskList;

// Work to be done later in this turn or in the next one. A member of whom it concerns; unqueues when it dies.
class Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { cancel(); }

  template <auto Method, typename Owner>
  void bind(Owner* owner) {
    owner_ = owner;
    run_ = [](void* target) { (static_cast<Owner*>(target)->*Method)(); };
  }
  bool queued() const { return list_ != nullptr; }
  void cancel();

 private:
  friend class TaskList;
  TaskList* list_ = nullptr;
  Task* next_ = nullptr;
  Task* previous_ = nullptr;
  void* owner_ = nullptr;
  void (*run_)(void*) = nullptr;
};

// First in, first out. Intrusive.
class TaskList {
 public:
  TaskList() = default;
  TaskList(const TaskList&) = delete;
  TaskList& operator=(const TaskList&) = delete;
  ~TaskList() {
    while (first_ != nullptr) {
      remove(*first_);
    }
  }
  bool empty() const { return first_ == nullptr; }
  void add(Task& task) {
    if (task.list_ != nullptr) {
      return;
    }
    task.list_ = this;
    task.next_ = nullptr;
    task.previous_ = last_;
    (last_ == nullptr ? first_ : last_->next_) = &task;
    last_ = &task;
  }
  void remove(Task& task) {
    (task.previous_ == nullptr ? first_ : task.previous_->next_) = task.next_;
    (task.next_ == nullptr ? last_ : task.next_->previous_) = task.previous_;
    task.list_ = nullptr;
  }
  void run_all() {  // what is added meanwhile runs too
    while (first_ != nullptr) {
      Task& task = *first_;
      remove(task);
      task.run_(task.owner_);
    }
  }
  void move_to(TaskList& other) {
    while (first_ != nullptr) {
      Task& task = *first_;
      remove(task);
      other.add(task);
    }
  }

 private:
  Task* first_ = nullptr;
  Task* last_ = nullptr;
};

inline void Task::cancel() {
  if (list_ != nullptr) {
    list_->remove(*this);
  }
}

class Loop {
 public:
  virtual ~Loop() = default;

  // When this turn's events were seen: costs nothing. Everything in a turn happens at one `now`.
  MonotonicTime now() const { return now_; }
  // The clock itself: for measuring what happens inside a turn.
  virtual MonotonicTime precise_now() = 0;
  // Calendar time at `now`.
  virtual WallTime wall_now() = 0;

  TimerQueue& timers() { return timers_; }
  void arm(Timer& timer, Nanoseconds after) { timers_.arm(timer, now_ + after); }

  void at_turn_end(Task& task) { turn_end_.add(task); }
  void next_turn(Task& task) { next_turn_.add(task); }
  // After all flushes of the turn: for accounts of what it did.
  void at_turn_over(Task& task) { turn_over_.add(task); }

  // Destroys at the end of the turn. The caller returns at once.
  void retire(std::unique_ptr<Retirable> object) {
    Retirable* raw = object.release();
    raw->next_retired_ = retired_;
    retired_ = raw;
  }

  // Runs `work` on this loop's thread, in a later turn. Any thread. Allocates: not for the request path.
  virtual void post(std::function<void()> work) = 0;

 protected:
  explicit Loop(MonotonicTime start) : now_(start), timers_(start) {}

  bool has_next_turn() const { return !next_turn_.empty(); }

  // All of a turn after its readiness events.
  void finish_turn() {
    timers_.advance(now_);
    TaskList due;
    next_turn_.move_to(due);
    due.run_all();
    turn_end_.run_all();
    while (!turn_over_.empty()) {
      turn_over_.run_all();
      turn_end_.run_all();
    }
    destroy_retired();
  }

  void destroy_retired() {
    while (retired_ != nullptr) {
      Retirable* object = retired_;
      retired_ = object->next_retired_;
      delete object;
    }
  }

  MonotonicTime now_;

 private:
  TimerQueue timers_;
  TaskList turn_end_;
  TaskList next_turn_;
  TaskList turn_over_;
  Retirable* retired_ = nullptr;
};

}  // namespace remora
