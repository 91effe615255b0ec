// `remora-control completion`: what a shell needs to complete commands, flags and files, out of the commands' tables.
#include <fmt/format.h>

#include <array>

#include "control/commands.h"

namespace remora::control {
namespace {

constexpr std::array<std::string_view, 3> kShells = {"bash", "zsh", "fish"};

std::string flags_of(const Command& command) {
  std::string out = "--help";
  for (const Flag& flag : command.flags) {
    out += fmt::format(" --{}", flag.name);
  }
  return out;
}

std::string names() {
  std::string out;
  for (const Command* command : commands()) {
    out += fmt::format("{} ", command->name);
  }
  return out + "help";
}

// A word in single quotes, as all three shells take it.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

// What follows a flag, as one branch of a case in bash; empty: nothing does.
std::string bash_value(const Flag& flag) {
  if (flag.value == Flag::Value::none) {
    return {};
  }
  const std::string names =
      flag.letter != 0 ? fmt::format("--{}|-{}", flag.name, flag.letter) : fmt::format("--{}", flag.name);
  const std::string what = !flag.words.empty() ? fmt::format("_remora_words \"{}\"; ", fmt::join(flag.words, " "))
                           : flag.value == Flag::Value::path ? std::string("_remora_files; ")
                                                             : std::string();
  return fmt::format("        {}) {}return ;;\n", names, what);
}

std::string bash_command(const Command& command) {
  std::string values;
  for (const Flag& flag : command.flags) {
    values += bash_value(flag);
  }
  std::string out = fmt::format("    {})\n", command.name);
  if (!values.empty()) {
    out += fmt::format("      case $before in\n{}      esac\n", values);
  }
  out += fmt::format("      if [[ $word == -* ]]; then _remora_words \"{}\"\n", flags_of(command));
  if (!command.words.empty()) {
    out += fmt::format("      else _remora_words \"{}\"\n", fmt::join(command.words, " "));
  } else if (command.paths) {
    out += "      else _remora_files\n";
  }
  return out + "      fi ;;\n";
}

// `--mesh=x` comes in three words: "--mesh", "=", "x".
std::string bash() {
  std::string out = fmt::format(
      "# remora-control completion bash > /etc/bash_completion.d/remora-control\n"
      "_remora_words() {{ mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$word\"); }}\n"
      "_remora_files() {{ compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); }}\n"
      "_remora_control() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}}\n"
      "  [ \"$before\" = = ] && before=${{COMP_WORDS[COMP_CWORD-2]}}\n"
      "  [ \"$word\" = = ] && word=\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "    _remora_words \"{0} --help --version\"\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n"
      "    help) _remora_words \"{0}\" ;;\n",
      names());
  for (const Command* command : commands()) {
    out += bash_command(*command);
  }
  return out + "  esac\n}\ncomplete -F _remora_control remora-control\n";
}

std::string zsh() {
  std::string out =
      "#compdef remora-control\n"
      "# remora-control completion zsh > \"${fpath[1]}/_remora-control\"\n"
      "_remora_control() {\n"
      "  local -a commands\n"
      "  commands=(\n";
  for (const Command* command : commands()) {
    out += fmt::format("    {}\n", quoted(fmt::format("{}:{}", command->name, command->summary)));
  }
  out +=
      "    'help:More about a command'\n"
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  case ${words[2]} in\n"
      "    help) _describe command commands ;;\n";
  for (const Command* command : commands()) {
    out += fmt::format("    {})\n      _arguments '(-h --help)'{{-h,--help}}'[this]'", command->name);
    for (const Flag& flag : command->flags) {
      const std::string value = flag.value == Flag::Value::none ? ""
                                : !flag.words.empty()
                                    ? fmt::format(":{}:({})", flag.placeholder, fmt::join(flag.words, " "))
                                : flag.value == Flag::Value::path ? fmt::format(":{}:_files", flag.placeholder)
                                                                  : fmt::format(":{}:", flag.placeholder);
      const std::string names =
          flag.letter != 0 ? fmt::format("{{-{},--{}}}", flag.letter, flag.name) : fmt::format("--{}", flag.name);
      out += fmt::format(" \\\n        {}{}{}", flag.repeats ? "\\*" : "", names,
                         quoted(fmt::format("[{}]{}", flag.help, value)));
    }
    out += !command->words.empty() ? fmt::format(" \\\n        '*:word:({})' ;;\n", fmt::join(command->words, " "))
           : command->paths        ? std::string(" \\\n        '*:path:_files' ;;\n")
                                   : std::string(" ;;\n");
  }
  return out + "  esac\n}\n_remora_control \"$@\"\n";
}

std::string fish() {
  std::string out = "# remora-control completion fish > ~/.config/fish/completions/remora-control.fish\n";
  for (const Command* command : commands()) {
    out += fmt::format("complete -c remora-control -f -n __fish_use_subcommand -a {} -d {}\n", command->name,
                       quoted(command->summary));
  }
  out += "complete -c remora-control -f -n __fish_use_subcommand -a help -d 'More about a command'\n";
  for (const Command* command : commands()) {
    const std::string when = fmt::format("-n '__fish_seen_subcommand_from {}'", command->name);
    for (const Flag& flag : command->flags) {
      out += fmt::format("complete -c remora-control {} -l {}{}{} -d {}\n", when, flag.name,
                         flag.letter != 0 ? fmt::format(" -s {}", flag.letter) : "",
                         flag.value == Flag::Value::none   ? std::string()
                         : flag.value == Flag::Value::path ? std::string(" -r -F")
                         : flag.words.empty()
                             ? std::string(" -x")
                             : fmt::format(" -x -a {}", quoted(fmt::format("{}", fmt::join(flag.words, " ")))),
                         quoted(flag.help));
    }
    out += fmt::format("complete -c remora-control {} -l help -s h -d this\n", when);
    if (!command->paths) {
      out += fmt::format(
          "complete -c remora-control -f {}{}\n", when,
          command->words.empty() ? std::string() : " -a " + quoted(fmt::format("{}", fmt::join(command->words, " "))));
    }
  }
  return out;
}

int completion(const Arguments& arguments, const Output& output) {
  const std::string& shell = arguments.positional.front();
  output.out(shell == "bash" ? bash() : shell == "zsh" ? zsh() : fish());
  return kFine;
}

}  // namespace

const Command kCompletionCommand = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "Print what lets a shell complete commands, flags and files",
    .about =
        "  source <(remora-control completion bash)\n"
        "  remora-control completion zsh > \"${fpath[1]}/_remora-control\"\n"
        "  remora-control completion fish > ~/.config/fish/completions/remora-control.fish",
    .flags = {},
    .least = 1,
    .most = 1,
    .words = kShells,
    .run = completion};

}  // namespace remora::control
