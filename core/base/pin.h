// Pin: keeps an object alive that its owner would like to be rid of. The owner holds it by unique_ptr, takes it out of
// use, and destroys it in a quiet moment (a tick, never inside a callback) once nobody pins it: so that what is in
// flight may go on with what it began with, at the price of one plain increment. One thread.
#pragma once

#include <cassert>
#include <cstdint>
#include <utility>

namespace remora {

template <typename T>
class Pin;

class Pinnable {
 public:
  Pinnable() = default;
  Pinnable(const Pinnable&) = delete;
  Pinnable& operator=(const Pinnable&) = delete;

  bool pinned() const { return pins_ > 0; }

 protected:
  ~Pinnable() { assert(pins_ == 0); }

 private:
  template <typename T>
  friend class Pin;
  std::uint32_t pins_ = 0;
};

template <typename T>
class Pin {
 public:
  Pin() = default;
  explicit Pin(T& target) : target_(&target) { ++count(); }
  Pin(Pin&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
  Pin& operator=(Pin&& other) noexcept {
    std::swap(target_, other.target_);
    return *this;
  }
  ~Pin() { reset(); }

  void reset() {
    if (target_ != nullptr) {
      --count();
      target_ = nullptr;
    }
  }
  T* get() const { return target_; }
  T& operator*() const { return *target_; }
  T* operator->() const { return target_; }
  explicit operator bool() const { return target_ != nullptr; }

 private:
  std::uint32_t& count() { return static_cast<Pinnable*>(target_)->pins_; }

  T* target_ = nullptr;
};

}  // namespace remora
