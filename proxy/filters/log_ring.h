// LogRing: records (a path and a line for it) from one thread to another, in order, without locks. Owned by an
// AccessLogQueue; the worker pushes, the writer's thread drains.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace remora::proxy {

class LogRing {
 public:
  explicit LogRing(std::size_t capacity);  // a power of two

  // False when there is no room; there never is for a record larger than half the ring.
  bool push(std::string_view path, std::string_view line);

  std::size_t capacity() const { return capacity_; }
  std::size_t used() const {  // bytes; any thread
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(head_.load(std::memory_order_acquire) - tail);
  }

  // visit(path, line) for each record that is there now; returns how many. The views die with the visit.
  template <typename Visit>
  std::size_t drain(Visit&& visit) {
    std::size_t count = 0;
    std::uint64_t at = tail_.load(std::memory_order_relaxed);
    // Sequentially consistent, as the push: see AccessLogWriter::wait.
    const std::uint64_t end = head_.load(std::memory_order_seq_cst);
    while (at != end) {
      const Record record = read(at);
      if (!record.padding) {
        visit(record.path, record.line);
        ++count;
      }
      at += record.total;
    }
    tail_.store(at, std::memory_order_release);
    return count;
  }

 private:
  struct Header {
    std::uint32_t total;  // of the record, this header included, a multiple of its size
    std::uint32_t path;
    std::uint32_t line;
    std::uint32_t padding;  // 1: filler up to the ring's end
  };
  struct Record {
    std::uint64_t total;
    bool padding;
    std::string_view path;
    std::string_view line;
  };
  Record read(std::uint64_t at) const;
  void write(std::uint64_t at, const Header& header);

  const std::size_t capacity_;
  const std::unique_ptr<std::byte[]> bytes_;
  alignas(64) std::atomic<std::uint64_t> head_{0};  // bytes ever pushed; the worker's
  std::uint64_t known_tail_ = 0;                    // what the worker last saw of tail_
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // bytes ever drained; the writer's
};

}  // namespace remora::proxy
