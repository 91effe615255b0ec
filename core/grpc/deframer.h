// Deframer: takes gRPC's length-prefixed messages out of a stream's bytes, however they were cut. Owned by a stream; no
// I/O. Source: grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace remora::grpc {

constexpr std::size_t kPrefixBytes = 5;

// What goes before a message of this size, uncompressed.
inline std::array<char, kPrefixBytes> message_prefix(std::size_t size) {
  return {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
          static_cast<char>(size)};
}

class Deframer {
 public:
  enum class Problem : std::uint8_t { none, compressed, bad_flag, too_long };

  explicit Deframer(std::size_t max_message_bytes) : max_(max_message_bytes) {}

  // Calls on_message(std::string_view) -> bool for each message that is whole now; false ends it, and the rest of
  // `data` is dropped. After a problem nothing more may be fed.
  template <typename OnMessage>
  Problem feed(std::string_view data, OnMessage&& on_message) {
    while (!data.empty()) {
      if (prefix_bytes_ < kPrefixBytes) {
        prefix_[prefix_bytes_++] = data.front();
        data.remove_prefix(1);
        if (prefix_bytes_ < kPrefixBytes) {
          continue;
        }
        if (const Problem problem = read_prefix(); problem != Problem::none) {
          return problem;
        }
        if (size_ == 0) {
          prefix_bytes_ = 0;
          if (!on_message(std::string_view())) {
            return Problem::none;
          }
          continue;
        }
      }
      if (partial_.empty() && data.size() >= size_) {  // whole as it lies
        const std::string_view message = data.substr(0, size_);
        data.remove_prefix(size_);
        prefix_bytes_ = 0;
        if (!on_message(message)) {
          return Problem::none;
        }
        continue;
      }
      const std::string_view part = data.substr(0, size_ - partial_.size());
      partial_.append(part);
      data.remove_prefix(part.size());
      if (partial_.size() == size_) {
        const std::string message = std::move(partial_);
        partial_ = {};
        prefix_bytes_ = 0;
        if (!on_message(std::string_view(message))) {
          return Problem::none;
        }
      }
    }
    return Problem::none;
  }

  // The stream may end here: no message is half there.
  bool at_boundary() const { return prefix_bytes_ == 0; }
  std::size_t max_message_bytes() const { return max_; }
  std::size_t message_size() const { return size_; }  // of the message that the last prefix announced

 private:
  Problem read_prefix() {
    size_ = 0;
    for (std::size_t i = 1; i < kPrefixBytes; ++i) {
      size_ = size_ << 8 | static_cast<unsigned char>(prefix_[i]);
    }
    if (prefix_[0] != 0) {
      return prefix_[0] == 1 ? Problem::compressed : Problem::bad_flag;
    }
    return size_ > max_ ? Problem::too_long : Problem::none;
  }

  const std::size_t max_;
  std::array<char, kPrefixBytes> prefix_{};
  std::size_t prefix_bytes_ = 0;
  std::size_t size_ = 0;
  std::string partial_;
};

}  // namespace remora::grpc
