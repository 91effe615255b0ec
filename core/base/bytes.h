// Bytes on their way out: ByteSink is where codecs write, OutputQueue holds what a socket did not take yet. The loop's
// thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/base/arena.h"

namespace remora {

// A byte stream's writing end. Nothing is written to the socket inside these calls but large bodies.
class ByteSink {
 public:
  // Room for `size` contiguous bytes, valid until the next call; then `commit` what was used.
  virtual char* reserve(std::size_t size) = 0;
  virtual void commit(std::size_t size) = 0;
  // Copies what it cannot write at once.
  virtual void write(std::string_view data) = 0;

 protected:
  ~ByteSink() = default;
};

// A chain of blocks: small ones from the worker's pool, large ones from the heap when a backlog grows. Empty, it holds
// no memory.
class OutputQueue {
 public:
  explicit OutputQueue(BlockPool& pool) : pool_(pool) {}
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;
  ~OutputQueue() { clear(); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  char* reserve(std::size_t size) {
    if (last_ == nullptr || last_->capacity - last_->end < size) {
      add_block(size);
    }
    return last_->data() + last_->end;
  }
  void commit(std::size_t size) {
    last_->end += static_cast<std::uint32_t>(size);
    size_ += size;
  }

  void append(std::string_view data) {
    while (!data.empty()) {
      const std::size_t room = last_ == nullptr ? 0 : last_->capacity - last_->end;
      if (room == 0) {
        add_block(data.size() > kSmall ? kLarge : 1);
        continue;
      }
      const std::size_t part = data.size() < room ? data.size() : room;
      std::memcpy(last_->data() + last_->end, data.data(), part);
      commit(part);
      data.remove_prefix(part);
    }
  }

  // Fills `out` with the first bytes; how many entries it used.
  std::size_t peek(std::span<iovec> out) const {
    std::size_t count = 0;
    for (Block* block = first_; block != nullptr && count < out.size(); block = block->next) {
      if (block->end > block->begin) {
        out[count++] = {block->data() + block->begin, block->end - block->begin};
      }
    }
    return count;
  }

  void consume(std::size_t count) {
    size_ -= count;
    while (first_ != nullptr) {
      const std::size_t part = first_->end - first_->begin;
      if (count < part) {
        first_->begin += static_cast<std::uint32_t>(count);
        return;
      }
      count -= part;
      Block* block = first_;
      first_ = block->next;
      if (first_ == nullptr) {
        last_ = nullptr;
      }
      free_block(block);
    }
  }

  // visit(std::string_view) for all that is queued, in order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (Block* block = first_; block != nullptr; block = block->next) {
      if (block->end > block->begin) {
        visit(std::string_view(block->data() + block->begin, block->end - block->begin));
      }
    }
  }

  void clear() {
    while (first_ != nullptr) {
      Block* block = first_;
      first_ = block->next;
      free_block(block);
    }
    last_ = nullptr;
    size_ = 0;
  }

 private:
  struct Block {
    Block* next;
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t capacity;
    bool pooled;
    char* data() { return reinterpret_cast<char*>(this + 1); }
  };
  static constexpr std::size_t kSmall = BlockPool::kBlockSize - sizeof(Block);
  static constexpr std::size_t kLarge = 32 * 1024 - sizeof(Block);

  void add_block(std::size_t size) {
    const bool pooled = size <= kSmall;
    auto* block = static_cast<Block*>(pooled ? pool_.take() : ::operator new(sizeof(Block) + size));
    block->next = nullptr;
    block->begin = block->end = 0;
    block->capacity = static_cast<std::uint32_t>(pooled ? kSmall : size);
    block->pooled = pooled;
    (last_ == nullptr ? first_ : last_->next) = block;
    last_ = block;
  }

  void free_block(Block* block) {
    if (block->pooled) {
      pool_.give(block);
    } else {
      ::operator delete(block);
    }
  }

  BlockPool& pool_;
  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace remora
