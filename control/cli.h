// The command line of remora-control: a table of commands, each with its flags, examples and function, from which
// parsing, --help, completion and "did you mean" come. Pure functions but for the commands themselves; main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace remora::control {

// Where a command's words go: stdout and stderr, or a test's strings.
struct Output {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> err;
};

struct Flag {
  enum class Value : std::uint8_t { none, word, path };
  std::string_view name;  // without its dashes
  char letter = 0;        // "-H"; 0: none
  Value value = Value::none;
  std::string_view placeholder = {};  // "PATH"
  std::string_view help = {};
  bool repeats = false;
  std::span<const std::string_view> words = {};  // those that the value may be, when they are few
};

// The arguments of one command.
struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::vector<std::string>, std::less<>> flags;

  bool has(std::string_view flag) const { return flags.contains(flag); }
  // The last one given, or nothing.
  std::string_view value(std::string_view flag) const;
  std::span<const std::string> values(std::string_view flag) const;
};

struct Command {
  std::string_view name;
  std::string_view arguments;  // "PATH…"
  std::string_view summary;    // one line
  std::string_view about;      // what it does, and examples: the body of --help
  std::span<const Flag> flags;
  std::size_t least = 0;  // positional arguments
  std::size_t most = SIZE_MAX;
  bool paths = false;                            // the positional arguments are files or folders
  std::span<const std::string_view> words = {};  // those that the positional arguments may be, when they are few
  int (*run)(const Arguments& arguments, const Output& output) = nullptr;
};

// Exit codes of every command.
inline constexpr int kFine = 0;
inline constexpr int kFound = 1;  // something is wrong with what was asked about
inline constexpr int kUsage = 2;  // something is wrong with the question

// All of them, in the order in which --help lists them: see commands.h.
std::span<const Command* const> commands();

Result<Arguments> parse_arguments(const Command& command, std::span<const std::string_view> words);
std::string help_of(const Command& command);
std::string general_help();

// `arguments` without the program's name.
int run(std::span<const std::string_view> arguments, const Output& output);

}  // namespace remora::control
