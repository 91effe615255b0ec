#include "proxy/filters/start_time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>

namespace remora::proxy {
namespace {

// Writes into a span, and stops at its end.
class Writer {
 public:
  explicit Writer(std::span<char> out) : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  void text(std::string_view text) {
    const std::size_t size = std::min(text.size(), static_cast<std::size_t>(end_ - at_));
    std::memcpy(at_, text.data(), size);
    at_ += size;
  }
  void digits(std::uint64_t value, std::size_t width) {  // the lowest `width`, zeros in front
    std::array<char, 20> buffer;
    for (std::size_t i = width; i-- > 0; value /= 10) {
      buffer[i] = static_cast<char>('0' + value % 10);
    }
    text({buffer.data(), width});
  }
  std::string_view written() const { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

 private:
  char* begin_;
  char* at_;
  char* end_;
};

struct Moment {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
  std::tm tm{};

  explicit Moment(WallTime time) {
    const std::int64_t all = time.time_since_epoch().count();
    seconds = all / 1'000'000'000;
    std::int64_t rest = all % 1'000'000'000;
    if (rest < 0) {
      rest += 1'000'000'000;
      --seconds;
    }
    nanoseconds = static_cast<std::uint32_t>(rest);
  }
  void break_down() {
    const auto t = static_cast<std::time_t>(seconds);
    ::gmtime_r(&t, &tm);
  }
};

void fraction(Writer& out, const Moment& moment, std::size_t digits) {
  std::uint64_t value = moment.nanoseconds;
  for (std::size_t i = digits; i < 9; ++i) {
    value /= 10;
  }
  out.digits(value, digits);
}

void two_digits_and_fraction(Writer& out, const Moment& moment, std::size_t digits) {
  out.digits(static_cast<std::uint64_t>(moment.tm.tm_sec), 2);
  if (digits > 0) {
    out.text(".");
    fraction(out, moment, digits);
  }
}

// 2026-01-31T12:00:00.123Z, by arithmetic alone (days to civil dates as in std::chrono).
void iso_time(Writer& out, const Moment& moment) {
  const std::chrono::sys_seconds at{std::chrono::seconds(moment.seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const auto of_day = static_cast<std::uint64_t>((at - day).count());
  out.digits(static_cast<std::uint64_t>(std::max(0, static_cast<int>(date.year()))), 4);
  out.text("-");
  out.digits(static_cast<unsigned>(date.month()), 2);
  out.text("-");
  out.digits(static_cast<unsigned>(date.day()), 2);
  out.text("T");
  out.digits(of_day / 3600, 2);
  out.text(":");
  out.digits(of_day / 60 % 60, 2);
  out.text(":");
  out.digits(of_day % 60, 2);
  out.text(".");
  fraction(out, moment, 3);
  out.text("Z");
}

// %E1S, %E*S, %Ez: what starts at `rest` (after "%E"). Returns how much of it was understood, 0 for none.
std::size_t extended(Writer& out, const Moment& moment, std::string_view rest) {
  if (rest.starts_with("z")) {
    out.text("+00:00");
    return 1;
  }
  if (rest.size() < 2 || rest[1] != 'S') {
    return 0;
  }
  if (rest[0] >= '0' && rest[0] <= '9') {
    two_digits_and_fraction(out, moment, static_cast<std::size_t>(rest[0] - '0'));
    return 2;
  }
  if (rest[0] == '*') {  // as many as it takes
    std::size_t digits = 9;
    for (std::uint32_t value = moment.nanoseconds; digits > 0 && value % 10 == 0; value /= 10) {
      --digits;
    }
    two_digits_and_fraction(out, moment, digits);
    return 2;
  }
  return 0;
}

// One specifier: what starts at `rest` (after the '%'). Returns how much of it was understood, 0 for none.
std::size_t specifier(Writer& out, const Moment& moment, std::string_view rest) {
  const char c = rest[0];
  switch (c) {
    case '%':
      out.text("%");
      return 1;
    case 's':
      if (moment.seconds < 0) {
        out.text("-");
      }
      {
        std::uint64_t value = static_cast<std::uint64_t>(std::abs(moment.seconds));
        std::size_t width = 1;
        for (std::uint64_t v = value; v >= 10; v /= 10) {
          ++width;
        }
        out.digits(value, width);
      }
      return 1;
    case 'f':
      fraction(out, moment, 9);
      return 1;
    case 'E': {
      const std::size_t used = extended(out, moment, rest.substr(1));
      return used == 0 ? 0 : used + 1;
    }
    case 'Z':
      out.text("UTC");
      return 1;
    case 'z':
      out.text("+0000");
      return 1;
    default:
      break;
  }
  if (c >= '1' && c <= '9' && rest.size() > 1) {
    if (rest[1] == 'f') {
      fraction(out, moment, static_cast<std::size_t>(c - '0'));
      return 2;
    }
    return rest[1] == 's' ? 1 + specifier(out, moment, "s") : 0;
  }
  if (std::string_view("aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyY").find(c) == std::string_view::npos) {
    return 0;
  }
  const std::array<char, 3> one = {'%', c, '\0'};
  std::array<char, 64> buffer;
  out.text({buffer.data(), std::strftime(buffer.data(), buffer.size(), one.data(), &moment.tm)});
  return 1;
}

}  // namespace

std::string_view format_time(WallTime time, std::string_view format, std::span<char> out) {
  Writer writer(out);
  Moment moment(time);
  if (format.empty()) {
    iso_time(writer, moment);
    return writer.written();
  }
  moment.break_down();
  while (!format.empty()) {
    const std::size_t percent = std::min(format.find('%'), format.size());
    writer.text(format.substr(0, percent));
    format.remove_prefix(percent);
    if (format.empty()) {
      break;
    }
    const std::size_t used = format.size() == 1 ? 0 : specifier(writer, moment, format.substr(1));
    if (used == 0) {  // not ours and not strftime's: stays as it is
      writer.text("%");
    }
    format.remove_prefix(1 + used);
  }
  return writer.written();
}

}  // namespace remora::proxy
