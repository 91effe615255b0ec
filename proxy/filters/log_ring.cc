#include "proxy/filters/log_ring.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace remora::proxy {

// Not std::make_unique, which would touch every page: a ring takes memory as it fills.
LogRing::LogRing(std::size_t capacity)
    : capacity_(std::bit_ceil(std::max<std::size_t>(capacity, 1024))), bytes_(new std::byte[capacity_]) {}

bool LogRing::push(std::string_view path, std::string_view line) {
  const std::size_t size = sizeof(Header) + path.size() + line.size();
  const std::size_t total = (size + sizeof(Header) - 1) & ~(sizeof(Header) - 1);
  if (total > capacity_ / 2) {
    return false;
  }
  std::uint64_t at = head_.load(std::memory_order_relaxed);
  const std::size_t to_end = capacity_ - static_cast<std::size_t>(at & (capacity_ - 1));
  const std::size_t filler = to_end < total ? to_end : 0;  // records do not wrap
  if (at + filler + total - known_tail_ > capacity_) {
    known_tail_ = tail_.load(std::memory_order_acquire);
    if (at + filler + total - known_tail_ > capacity_) {
      return false;
    }
  }
  if (filler > 0) {
    write(at, {static_cast<std::uint32_t>(filler), 0, 0, 1});
    at += filler;
  }
  write(at, {static_cast<std::uint32_t>(total), static_cast<std::uint32_t>(path.size()),
             static_cast<std::uint32_t>(line.size()), 0});
  std::byte* text = bytes_.get() + (at & (capacity_ - 1)) + sizeof(Header);
  std::memcpy(text, path.data(), path.size());
  std::memcpy(text + path.size(), line.data(), line.size());
  head_.store(at + total, std::memory_order_seq_cst);
  return true;
}

void LogRing::write(std::uint64_t at, const Header& header) {
  std::memcpy(bytes_.get() + (at & (capacity_ - 1)), &header, sizeof(header));
}

LogRing::Record LogRing::read(std::uint64_t at) const {
  const std::byte* from = bytes_.get() + (at & (capacity_ - 1));
  Header header;
  std::memcpy(&header, from, sizeof(header));
  const char* text = reinterpret_cast<const char*>(from + sizeof(Header));
  return {header.total, header.padding != 0, {text, header.path}, {text + header.path, header.line}};
}

}  // namespace remora::proxy
