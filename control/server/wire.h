// WireWriter: protobuf's wire format, written by hand where resources that are serialised already are put into a
// response: copied once, parsed never. Appends to a string. Source: protobuf's encoding guide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace remora::control {

class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  // A length-delimited field: string, bytes, or a message that is serialised already. Empty ones are left out.
  WireWriter& text(unsigned field, std::string_view value) { return value.empty() ? *this : message(field, value); }
  // As `text`, but written even when it is empty: an element of a repeated field, a message that is there.
  WireWriter& message(unsigned field, std::string_view value) {
    begin(field, value.size());
    out_ += value;
    return *this;
  }
  // A length-delimited field whose bytes the caller appends next.
  WireWriter& begin(unsigned field, std::size_t size) {
    varint(field << 3 | 2);
    varint(size);
    return *this;
  }

  static std::size_t varint_size(std::uint64_t value) {
    std::size_t size = 1;
    while (value >= 0x80) {
      value >>= 7;
      ++size;
    }
    return size;
  }
  // Of a whole field with fewer than 16 as its number.
  static std::size_t field_size(std::size_t size) { return 1 + varint_size(size) + size; }

 private:
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_ += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    out_ += static_cast<char>(value);
  }

  std::string& out_;
};

}  // namespace remora::control
