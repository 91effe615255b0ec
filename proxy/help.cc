#include "proxy/help.h"

#include <fmt/format.h>

#include "proxy/options.h"

namespace remora::proxy {
namespace {

// What a value may be: words with spaces between them, a file, or neither.
struct Values {
  std::string_view words;
  bool path = false;
};

Values values_of(const FlagWords& flag) {
  return flag.value == "PATH" || flag.value == "DIR" ? Values{"", true}
         : flag.name == "mode"                       ? Values{"serve validate"}
         : flag.value == "LEVEL"                     ? Values{"trace debug info warning error critical off"}
         : flag.value == "SHELL"                     ? Values{"bash zsh fish"}
         : flag.name == "drain-strategy"             ? Values{"gradual immediate"}
                                                     : Values{};
}

std::string_view letter_of(const FlagWords& flag) {
  return flag.name == "config-path" ? "c" : flag.name == "log-level" ? "l" : flag.name == "help" ? "h" : "";
}

// In single quotes, as all three shells take it.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

// `--mesh=x` comes in three words: "--mesh", "=", "x".
std::string bash() {
  std::string flags, values, nothing;
  for (const FlagWords& flag : flag_words()) {
    flags += fmt::format("{}--{}", flags.empty() ? "" : " ", flag.name);
    if (flag.value.empty()) {
      continue;
    }
    const Values of = values_of(flag);
    const std::string names =
        letter_of(flag).empty() ? fmt::format("--{}", flag.name) : fmt::format("--{}|-{}", flag.name, letter_of(flag));
    if (of.path) {
      values += fmt::format(
          "    {}) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n", names);
    } else if (!of.words.empty()) {
      values += fmt::format("    {}) mapfile -t COMPREPLY < <(compgen -W \"{}\" -- \"$word\") ;;\n", names, of.words);
    } else {
      nothing += fmt::format("{}{}", nothing.empty() ? "" : "|", names);
    }
  }
  return fmt::format(
      "# remora-proxy --completion bash > /etc/bash_completion.d/remora-proxy\n"
      "_remora_proxy() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  [ \"$before\" = = ] && before=${{COMP_WORDS[COMP_CWORD-2]}}\n"
      "  [ \"$word\" = = ] && word=\n"
      "  COMPREPLY=()\n"
      "  if [ \"${{COMP_WORDS[1]}}\" = route ] && [ \"$COMP_CWORD\" -gt 1 ]; then\n"
      "    [[ $word != -* ]] || mapfile -t COMPREPLY < <(compgen -W \"--admin --header --listener --json --help\" -- "
      "\"$word\")\n"
      "    return\n"
      "  fi\n"
      "  case $before in\n"
      "{0}"
      "    {1}) ;;\n"
      "    \"${{COMP_WORDS[0]}}\") mapfile -t COMPREPLY < <(compgen -W \"route {2}\" -- \"$word\") ;;\n"
      "    *) mapfile -t COMPREPLY < <(compgen -W \"{2}\" -- \"$word\") ;;\n"
      "  esac\n"
      "}}\n"
      "complete -F _remora_proxy remora-proxy\n",
      values, nothing, flags);
}

std::string zsh() {
  std::string out =
      "#compdef remora-proxy\n"
      "# remora-proxy --completion zsh > \"${fpath[1]}/_remora-proxy\"\n"
      "_arguments";
  for (const FlagWords& flag : flag_words()) {
    const Values of = values_of(flag);
    const std::string value = flag.value.empty() ? std::string()
                              : of.path          ? fmt::format(":{}:_files", flag.value)
                              : !of.words.empty()
                                  ? fmt::format(":{}:({})", flag.value, of.words)
                                  : fmt::format(":{}:", flag.value == "IP:PORT" ? "ADDRESS" : flag.value);
    const std::string help = fmt::format("[{}]{}", flag.help.empty() ? "taken for Envoy's sake" : flag.help, value);
    for (const std::string& name : {fmt::format("--{}", flag.name), fmt::format("-{}", letter_of(flag))}) {
      out += name == "-" ? std::string() : fmt::format(" \\\n  {}", quoted(name + help));
    }
  }
  return out + "\n";
}

std::string fish() {
  std::string out =
      "# remora-proxy --completion fish > ~/.config/fish/completions/remora-proxy.fish\n"
      "complete -c remora-proxy -f\n";
  for (const FlagWords& flag : flag_words()) {
    const Values of = values_of(flag);
    const std::string value = flag.value.empty()  ? std::string()
                              : of.path           ? std::string(" -r -F")
                              : !of.words.empty() ? fmt::format(" -x -a {}", quoted(of.words))
                                                  : std::string(" -x");
    const std::string_view letter = letter_of(flag);
    out += fmt::format("complete -c remora-proxy -l {}{}{} -d {}\n", flag.name,
                       letter.empty() ? std::string() : fmt::format(" -s {}", letter), value,
                       quoted(flag.help.empty() ? "taken for Envoy's sake" : flag.help));
  }
  return out;
}

}  // namespace

std::string completion_text(std::string_view shell) {
  return shell == "bash" ? bash() : shell == "zsh" ? zsh() : fish();
}

std::string help_text() {
  std::string out =
      "remora-proxy: a service mesh sidecar that speaks Envoy's API.\n\n"
      "Try it:\n"
      "  remora-proxy --mesh mesh.yaml --service web          from a mesh file, with neither control plane nor Consul\n"
      "  remora-proxy --control 127.0.0.1:18000 --service web --state-dir /var/lib/remora\n"
      "                                                       what remora-control says; the last of it is kept on the "
      "disk\n"
      "  remora-proxy --control 127.0.0.1:18000 --service web --consul 127.0.0.1:8500 --register web.yaml\n"
      "                                                       the same, finding its peers in Consul and registering "
      "itself\n"
      "  remora-proxy -c bootstrap.yaml                       from Envoy's bootstrap, one worker for each core\n"
      "  remora-proxy -c bootstrap.yaml --mode validate       find every mistake in the file, and exit\n"
      "  remora-proxy -c bootstrap.yaml --config-yaml 'node: {id: web-1}'    the file, with one thing changed\n"
      "  remora-proxy -c bootstrap.yaml -l debug --component-log-level pool:trace\n"
      "  source <(remora-proxy --completion bash)             let the shell complete all this\n"
      "  remora-proxy route GET http://api/v2 -H 'x-user: a'  what a running proxy would do (route --help)\n"
      "  kill -TERM PID                                       drain: finish what runs, then exit 0\n\n"
      "Flags (--flag VALUE or --flag=VALUE):\n";
  for (const FlagWords& flag : flag_words()) {
    if (!flag.help.empty()) {
      out += fmt::format("  {:<30} {}\n", fmt::format("--{} {}", flag.name, flag.value), flag.help);
    }
  }
  out += "\nTaken for Envoy's sake, and without effect:\n ";
  std::size_t column = 1;
  for (const FlagWords& flag : flag_words()) {
    if (flag.help.empty()) {
      if (column + flag.name.size() + 3 > 100) {
        out += "\n ";
        column = 1;
      }
      out += fmt::format(" --{}", flag.name);
      column += flag.name.size() + 3;
    }
  }
  out +=
      "\n\nSignals: TERM or INT drains, and a second one exits at once; USR1 opens log files anew; HUP is ignored.\n"
      "Exit code: 0 after a drain or a valid configuration, 1 when the start failed.\n"
      "More: docs/cli.md, and the admin's /help while it runs.\n";
  return out;
}

}  // namespace remora::proxy
