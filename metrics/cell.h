// Cell: a number that one thread writes and any thread reads, without a lock or a locked instruction: the writer loads
// and stores, both relaxed. Owned by a WorkerMetrics (metrics/registry.h); written by its worker, read by the scrape.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace remora::metrics {

// Counts up. One writer.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Goes up and down. One writer.
class Gauge {
 public:
  void add(std::int64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void sub(std::int64_t n = 1) { add(-n); }
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// A counter for each value of an enum that ends in `count_`; the enum is the value of one label.
template <typename Enum>
class CounterBy {
 public:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Enum::count_);
  Counter& operator[](Enum of) { return counters_[static_cast<std::size_t>(of)]; }
  const Counter& operator[](Enum of) const { return counters_[static_cast<std::size_t>(of)]; }

 private:
  std::array<Counter, kSize> counters_;
};

// A list that one thread appends to and any thread walks: nodes are published whole and never taken away while the
// list lives. Node has a member `Node* next`, which belongs to the list.
template <typename Node>
class PublishedList {
 public:
  PublishedList() = default;
  PublishedList(const PublishedList&) = delete;
  PublishedList& operator=(const PublishedList&) = delete;
  ~PublishedList() {
    Node* node = head_.load(std::memory_order_relaxed);
    while (node != nullptr) {
      Node* next = node->next;
      delete node;
      node = next;
    }
  }

  void publish(Node* node) {  // takes ownership; the one writer
    node->next = head_.load(std::memory_order_relaxed);
    head_.store(node, std::memory_order_release);
  }

  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Node* node = head_.load(std::memory_order_acquire); node != nullptr; node = node->next) {
      visit(*node);
    }
  }

 private:
  std::atomic<Node*> head_{nullptr};
};

}  // namespace remora::metrics
