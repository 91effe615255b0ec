#include "metrics/series.h"

#include <sys/mman.h>

#include <new>
#include <utility>

namespace remora::metrics {

Admission::Admission(std::size_t cap) : cap_(cap) {
  if (cap_ == 0) {
    slots_ = nullptr;
    return;
  }
  // mmap, since its pages take no memory before they are touched; zeros are valid atomics.
  void* memory = ::mmap(nullptr, cap_ * sizeof(*slots_), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  slots_ = static_cast<std::atomic<std::uint64_t>*>(memory);
}

Admission::~Admission() {
  if (slots_ != nullptr) {
    ::munmap(slots_, cap_ * sizeof(*slots_));
  }
}

bool Admission::admit(std::uint64_t label_hash) {
  const std::uint64_t wanted = label_hash == 0 ? 1 : label_hash;
  for (std::size_t i = 0; i < cap_; ++i) {
    std::uint64_t held = slots_[i].load(std::memory_order_relaxed);
    if (held == 0 && slots_[i].compare_exchange_strong(held, wanted, std::memory_order_relaxed)) {
      return true;
    }
    if (held == wanted) {  // there already, or another worker was quicker with the same
      return true;
    }
  }
  return false;
}

RequestSeries::RequestSeries(std::string service, std::string route, std::string cluster, std::uint64_t label_hash,
                             Admission* admission, Counter& overflow)
    : service_(std::move(service)),
      route_(std::move(route)),
      cluster_(std::move(cluster)),
      label_hash_(label_hash),
      admission_(admission),
      overflow_(overflow) {}

RequestSeries::~RequestSeries() {
  Chunk* chunk = first_.next.load(std::memory_order_relaxed);
  while (chunk != nullptr) {
    Chunk* after = chunk->next.load(std::memory_order_relaxed);
    delete chunk;
    chunk = after;
  }
}

RequestSeries::Slot* RequestSeries::slot_for(std::uint64_t key) {
  Chunk* chunk = &first_;
  while (true) {
    for (Slot& slot : chunk->slots) {
      const std::uint64_t held = slot.key.load(std::memory_order_relaxed);
      if (held == key) {
        return &slot;
      }
      if (held == 0) {
        return take(slot, key);
      }
    }
    Chunk* after = chunk->next.load(std::memory_order_relaxed);
    if (after == nullptr) {
      if (used_ >= kMaxCodes) {
        return take(rest_, key);
      }
      after = new Chunk;
      chunk->next.store(after, std::memory_order_release);
    }
    chunk = after;
  }
}

// Makes a free slot the one of `key`, unless this series or the family is full.
RequestSeries::Slot* RequestSeries::take(Slot& slot, std::uint64_t key) {
  if (used_ >= kMaxCodes) {
    if (rest_.count.value() == 0) {
      overflow_.add();
    }
    return &rest_;
  }
  ++used_;
  if (admission_ != nullptr) {
    std::uint64_t hash = label_hash_ ^ (key * 0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93;
    slot.admitted = admission_->admit(hash ^ (hash >> 32));
    if (!slot.admitted) {
      overflow_.add();
    }
  }
  slot.key.store(key, std::memory_order_release);
  return &slot;
}

}  // namespace remora::metrics
