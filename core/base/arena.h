// Arena: memory that dies all at once, for what one exchange holds. Blocks come from, and return to, a BlockPool, so
// a steady-state request allocates nothing. Owned by an Exchange; worker thread only.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace remora {

// A worker's free list of equal blocks. Never shrinks below what `trim` leaves; outlives every user of its blocks.
class BlockPool {
 public:
  static constexpr std::size_t kBlockSize = 2048;

  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool() { trim(0); }

  void* take() {
    if (free_ != nullptr) {
      Node* node = free_;
      free_ = node->next;
      --free_count_;
      return node;
    }
    ++allocated_;
    return ::operator new(kBlockSize);
  }

  void give(void* block) {
    if (free_count_ >= kKeep) {
      --allocated_;
      ::operator delete(block);
      return;
    }
    auto* node = static_cast<Node*>(block);
    node->next = free_;
    free_ = node;
    ++free_count_;
  }

  // Frees until at most `keep` free blocks are left.
  void trim(std::size_t keep) {
    while (free_count_ > keep) {
      Node* node = free_;
      free_ = node->next;
      --free_count_;
      --allocated_;
      ::operator delete(node);
    }
  }

  std::size_t allocated() const { return allocated_; }  // blocks, free or in use

 private:
  static constexpr std::size_t kKeep = 4096;  // 8 MiB: a burst is forgotten, a steady load is not
  struct Node {
    Node* next;
  };
  Node* free_ = nullptr;
  std::size_t free_count_ = 0;
  std::size_t allocated_ = 0;
};

class Arena {
 public:
  explicit Arena(BlockPool& pool) : pool_(pool) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { clear(); }

  // Memory to use up before the first block: what is left of a block that somebody else owns.
  void lend(void* begin, void* end) {
    cursor_ = reinterpret_cast<std::uintptr_t>(begin);
    end_ = reinterpret_cast<std::uintptr_t>(end);
  }

  void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
    std::uintptr_t at = (cursor_ + alignment - 1) & ~(alignment - 1);
    if (at + size > end_) {
      if (size + alignment > BlockPool::kBlockSize - sizeof(Header)) {
        return allocate_large(size);
      }
      add_block();
      at = (cursor_ + alignment - 1) & ~(alignment - 1);
    }
    cursor_ = at + size;
    return reinterpret_cast<void*>(at);
  }

  // Constructs a T that is never destroyed: for trivially destructible types.
  template <typename T, typename... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
  }

  template <typename T>
  T* make_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
  }

  std::string_view copy(std::string_view text) {
    if (text.empty()) {
      return {};
    }
    char* to = static_cast<char*>(allocate(text.size(), 1));
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  std::string_view decimal(std::uint64_t value) {
    char* to = static_cast<char*>(allocate(20, 1));  // of 2^64 - 1
    return {to, static_cast<std::size_t>(std::to_chars(to, to + 20, value).ptr - to)};
  }

  template <typename... Views>
  std::string_view concat(const Views&... views) {
    const std::size_t size = (std::string_view(views).size() + ... + 0);
    char* to = static_cast<char*>(allocate(size == 0 ? 1 : size, 1));
    char* at = to;
    const auto append = [&at](std::string_view view) {
      if (!view.empty()) {  // an empty view may be null, which memcpy may not
        std::memcpy(at, view.data(), view.size());
        at += view.size();
      }
    };
    (append(std::string_view(views)), ...);
    return {to, size};
  }

  void clear() {
    while (blocks_ != nullptr) {
      Header* block = blocks_;
      blocks_ = block->next;
      if (block->large) {
        ::operator delete(block);
      } else {
        pool_.give(block);
      }
    }
    cursor_ = end_ = 0;
  }

 private:
  struct alignas(std::max_align_t) Header {
    Header* next;
    bool large;
  };

  void add_block() {
    auto* block = static_cast<Header*>(pool_.take());
    block->next = blocks_;
    block->large = false;
    blocks_ = block;
    cursor_ = reinterpret_cast<std::uintptr_t>(block) + sizeof(Header);
    end_ = reinterpret_cast<std::uintptr_t>(block) + BlockPool::kBlockSize;
  }

  void* allocate_large(std::size_t size) {
    auto* block = static_cast<Header*>(::operator new(sizeof(Header) + size));
    block->next = blocks_;
    block->large = true;
    blocks_ = block;
    return block + 1;
  }

  BlockPool& pool_;
  Header* blocks_ = nullptr;
  std::uintptr_t cursor_ = 0;
  std::uintptr_t end_ = 0;
};

}  // namespace remora
