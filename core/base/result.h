// Result: a value, or an error with words for people. Values only; any thread.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace remora {

struct Error {
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) { return std::unexpected(Error{std::move(message)}); }

}  // namespace remora
