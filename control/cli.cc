#include "control/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/nearest.h"

namespace remora::control {
namespace {

constexpr Flag kHelp{.name = "help", .letter = 'h', .help = "this"};

const Flag* find_flag(const Command& command, std::string_view name, char letter) {
  for (const Flag& flag : command.flags) {
    if ((!name.empty() && flag.name == name) || (letter != 0 && flag.letter == letter)) {
      return &flag;
    }
  }
  const bool asks_help = name == kHelp.name || letter == kHelp.letter;  // which has both
  return asks_help ? &kHelp : nullptr;
}

std::unexpected<Error> unknown_flag(const Command& command, std::string_view argument, std::string_view name) {
  std::vector<std::string_view> names = {kHelp.name};
  for (const Flag& flag : command.flags) {
    names.push_back(flag.name);
  }
  const std::string_view near = nearest(name, names);
  return fail(fmt::format("{} has no flag {}{}; `remora-control {} --help` lists them", command.name,
                          argument.substr(0, argument.find('=')),
                          near.empty() ? std::string() : fmt::format(" (did you mean --{}?)", near), command.name));
}

std::string shown(const Flag& flag) {
  std::string text =
      flag.letter != 0 ? fmt::format("-{}, --{}", flag.letter, flag.name) : fmt::format("--{}", flag.name);
  return flag.value == Flag::Value::none ? text : fmt::format("{} {}", text, flag.placeholder);
}

// One flag, as it was given, and what came with it.
struct Given {
  const Flag* flag = nullptr;
  std::optional<std::string_view> value;
};

Result<Given> parse_flag(const Command& command, std::string_view argument) {
  Given given;
  if (argument.starts_with("--")) {
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    given.flag = find_flag(command, name, 0);
    if (given.flag == nullptr) {
      return unknown_flag(command, argument, name);
    }
    if (equals != std::string_view::npos) {
      given.value = argument.substr(equals + 1);
    }
  } else {
    given.flag = find_flag(command, {}, argument[1]);
    if (given.flag == nullptr) {
      return unknown_flag(command, argument, argument.substr(1));
    }
    if (argument.size() > 2) {
      given.value = argument.substr(2);
    }
  }
  if (given.flag->value == Flag::Value::none && given.value) {
    return fail(fmt::format("--{} takes no value", given.flag->name));
  }
  return given;
}

Result<void> check_word(std::string_view what, std::string_view word, std::span<const std::string_view> words) {
  if (words.empty() || std::ranges::find(words, word) != words.end()) {
    return {};
  }
  return fail(
      fmt::format("{}: expected one of {}, not '{}'{}", what, fmt::join(words, ", "), word, did_you_mean(word, words)));
}

Result<void> check_positional(const Command& command, const Arguments& arguments) {
  const std::size_t count = arguments.positional.size();
  if (count < command.least) {
    return fail(fmt::format("{0} needs {1}: remora-control {0} {1}", command.name, command.arguments));
  }
  if (count > command.most) {
    return fail(fmt::format("{}: '{}' is one argument too many; `remora-control {} --help` has examples", command.name,
                            arguments.positional[command.most], command.name));
  }
  for (const std::string& word : arguments.positional) {
    if (auto fits = check_word(command.name, word, command.words); !fits) {
      return fits;
    }
  }
  return {};
}

const Command* find_command(std::string_view name) {
  const auto all = commands();
  const auto found = std::ranges::find(all, name, &Command::name);
  return found == all.end() ? nullptr : *found;
}

int usage(const Output& output, std::string_view words) {
  output.err(fmt::format("error: {}\n", words));
  return kUsage;
}

int run_command(const Command& command, std::span<const std::string_view> words, const Output& output) {
  if (std::ranges::any_of(words, [](std::string_view word) { return word == "--help" || word == "-h"; })) {
    output.out(help_of(command));
    return kFine;
  }
  const auto arguments = parse_arguments(command, words);
  return arguments ? command.run(*arguments, output) : usage(output, arguments.error().message);
}

int run_help(std::span<const std::string_view> words, const Output& output) {
  if (words.empty()) {
    output.out(general_help());
    return kFine;
  }
  const Command* command = find_command(words.front());
  if (command == nullptr) {
    return usage(output, fmt::format("there is no command '{}'; `remora-control --help` lists them", words.front()));
  }
  output.out(help_of(*command));
  return kFine;
}

}  // namespace

std::string_view Arguments::value(std::string_view flag) const {
  const auto all = values(flag);
  return all.empty() ? std::string_view() : std::string_view(all.back());
}

std::span<const std::string> Arguments::values(std::string_view flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? std::span<const std::string>() : std::span<const std::string>(found->second);
}

Result<Arguments> parse_arguments(const Command& command, std::span<const std::string_view> words) {
  Arguments arguments;
  bool flags_end = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (flags_end || word.size() < 2 || word.front() != '-') {
      arguments.positional.emplace_back(word);
      continue;
    }
    if (word == "--") {
      flags_end = true;
      continue;
    }
    auto given = parse_flag(command, word);
    if (!given) {
      return std::unexpected(given.error());
    }
    const Flag& flag = *given->flag;
    if (flag.value != Flag::Value::none && !given->value) {
      if (i + 1 == words.size()) {
        return fail(fmt::format("--{0} needs a value: --{0} {1}", flag.name, flag.placeholder));
      }
      given->value = words[++i];
    }
    auto& values = arguments.flags[std::string(flag.name)];
    if (!values.empty() && !flag.repeats) {
      return fail(fmt::format("--{} is given twice", flag.name));
    }
    values.emplace_back(given->value.value_or(std::string_view()));
    if (auto fits = check_word(fmt::format("--{}", flag.name), values.back(), flag.words); !fits) {
      return std::unexpected(fits.error());
    }
  }
  if (auto fits = check_positional(command, arguments); !fits) {
    return std::unexpected(fits.error());
  }
  return arguments;
}

std::string help_of(const Command& command) {
  std::string out =
      fmt::format("remora-control {}{}{}\n\n{}\n\n{}\n\nFlags (--flag VALUE or --flag=VALUE):\n", command.name,
                  command.arguments.empty() ? "" : " ", command.arguments, command.summary, command.about);
  for (const Flag& flag : command.flags) {
    out += fmt::format("  {:<28} {}\n", shown(flag), flag.help);
  }
  out += fmt::format("  {:<28} {}\n", shown(kHelp), kHelp.help);
  return out;
}

std::string general_help() {
  std::string out =
      "remora-control: turns what people write about a mesh into what proxies run.\n\n"
      "Try it:\n"
      "  remora-control check mesh.yaml                    find every mistake in a mesh file, before it runs\n"
      "  remora-control explain --mesh mesh.yaml --from web GET http://api/v2/orders\n"
      "                                                    what would happen to a request, and which line decides\n"
      "  remora-control diff mesh.yaml next.yaml           what a change would change, for which proxy\n"
      "  remora-control serve --mesh mesh.yaml             bring the mesh to the proxies, and each change of it\n"
      "  remora-control serve --consul 127.0.0.1:8500      the same, out of Consul\n"
      "  source <(remora-control completion bash)          let the shell complete all this\n"
      "  remora-control help check                         more about a command, with examples\n\n"
      "Commands:\n";
  for (const Command* command : commands()) {
    out += fmt::format("  {:<20} {}\n", command->name, command->summary);
  }
  out +=
      "\n  --version, --help\n\n"
      "Exit code: 0 all is well, 1 something was found, 2 the question was wrong.\n"
      "More: docs/control.md; what a mesh file says: docs/mesh_file.md.\n";
  return out;
}

int run(std::span<const std::string_view> arguments, const Output& output) {
  if (arguments.empty()) {
    output.err(general_help());
    return kUsage;
  }
  const std::string_view first = arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    return run_help(arguments.subspan(1), output);
  }
  if (first == "--version" || first == "version") {
    output.out("remora-control  version: " REMORA_VERSION "\n");
    return kFine;
  }
  if (const Command* command = find_command(first)) {
    return run_command(*command, arguments.subspan(1), output);
  }
  std::vector<std::string_view> names = {"help", "version"};
  for (const Command* command : commands()) {
    names.push_back(command->name);
  }
  const std::string_view word = first.starts_with("--") ? first.substr(2) : first;
  return usage(output, fmt::format("there is no {} '{}'{}; `remora-control --help` lists {}",
                                   first.starts_with('-') ? "flag" : "command", first, did_you_mean(word, names),
                                   first.starts_with('-') ? "all" : "the commands"));
}

}  // namespace remora::control
