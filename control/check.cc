// `remora-control check`: all that is wrong with mesh files, where, and what would be right.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "control/catalog/mesh_files.h"
#include "control/check_translation.h"
#include "control/commands.h"
#include "control/source_lines.h"
#include "core/admin/json.h"

namespace remora::control {
namespace {

using catalog::Finding;
using catalog::Severity;

constexpr std::array kFlags = {
    Flag{.name = "json", .help = "for programs: one JSON object on stdout"},
    Flag{.name = "quiet", .letter = 'q', .help = "no words when all is well, and no source lines"},
};

std::size_t count(const catalog::Findings& findings, Severity severity) {
  return static_cast<std::size_t>(std::ranges::count(findings, severity, &Finding::severity));
}

std::string plural(std::size_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string entries(std::size_t number) { return fmt::format("{} config entr{}", number, number == 1 ? "y" : "ies"); }

std::size_t instances_in(const catalog::Catalog& mesh) {
  std::size_t sum = 0;
  for (const auto& [name, instances] : mesh.services) {
    sum += instances->size();
  }
  return sum;
}

std::size_t entries_in(const catalog::Catalog& mesh) {
  return mesh.service_defaults.size() + mesh.routers.size() + mesh.splitters.size() + mesh.resolvers.size() +
         mesh.intentions.size() + (mesh.proxy_defaults->head.place.file != nullptr ? 1 : 0);
}

std::string finding_text(const Finding& finding) {
  const config::ConfigError& what = finding.what;
  std::string where = what.file;
  if (what.line > 0) {
    where += fmt::format(":{}:{}", what.line, what.column);
  }
  return fmt::format("{}: {}: {}{}{}\n", where, to_string(finding.severity), what.path, what.path.empty() ? "" : ": ",
                     what.message);
}

void say_text(const catalog::Loaded& loaded, bool quiet, const Output& output) {
  SourceLines lines;
  for (const Finding& finding : loaded.findings) {
    if (quiet && finding.severity == Severity::note) {
      continue;
    }
    output.err(finding_text(finding));
    if (!quiet) {
      output.err(lines.excerpt(finding.what.file, finding.what.line, finding.what.column));
    }
  }
  const std::size_t errors = count(loaded.findings, Severity::error);
  const std::size_t warnings = count(loaded.findings, Severity::warning);
  if (errors + warnings > 0) {
    output.err(fmt::format("{}{}{} in {}\n", errors > 0 ? plural(errors, "error") : "",
                           errors > 0 && warnings > 0 ? " and " : "", warnings > 0 ? plural(warnings, "warning") : "",
                           plural(loaded.files.size(), "file")));
  } else if (!quiet) {
    const catalog::Catalog& mesh = *loaded.catalog;
    output.out(fmt::format("OK: {} ({}) and {} in {}\n", plural(mesh.services.size(), "service"),
                           plural(instances_in(mesh), "instance"), entries(entries_in(mesh)),
                           plural(loaded.files.size(), "file")));
  }
}

void say_json(const catalog::Loaded& loaded, bool fine, const Output& output) {
  std::string out = fmt::format("{{\"ok\": {}, \"errors\": {}, \"warnings\": {},\n \"files\": [", fine,
                                count(loaded.findings, Severity::error), count(loaded.findings, Severity::warning));
  for (std::size_t i = 0; i < loaded.files.size(); ++i) {
    out += (i > 0 ? ", " : "") + admin::json_quote(loaded.files[i]);
  }
  out += "],\n \"findings\": [";
  for (std::size_t i = 0; i < loaded.findings.size(); ++i) {
    const config::ConfigError& what = loaded.findings[i].what;
    out += fmt::format(
        "{}\n  {{\"severity\": \"{}\", \"file\": {}, \"line\": {}, \"column\": {}, \"path\": {}, "
        "\"message\": {}}}",
        i > 0 ? "," : "", to_string(loaded.findings[i].severity), admin::json_quote(what.file), what.line, what.column,
        admin::json_quote(what.path), admin::json_quote(what.message));
  }
  output.out(out + "]}\n");
}

int check(const Arguments& arguments, const Output& output) {
  catalog::Loaded loaded = catalog::MeshFiles(arguments.positional).load();
  if (loaded.catalog != nullptr) {
    add_translation(loaded);
  }
  const bool fine = count(loaded.findings, Severity::error) == 0 && count(loaded.findings, Severity::warning) == 0;
  if (arguments.has("json")) {
    say_json(loaded, fine, output);
  } else {
    say_text(loaded, arguments.has("quiet"), output);
  }
  return fine ? kFine : kFound;
}

}  // namespace

const Command kCheckCommand = {
    .name = "check",
    .arguments = "PATH…",
    .summary = "Find every mistake in mesh files, before they run",
    .about =
        "PATH is a file, or a folder of *.yaml, *.yml and *.json. Several paths make one mesh. Once it is sound by\n"
        "itself, it is translated for each of its proxies, and what cannot be done of it is found too.\n"
        "An error is why a mesh is not taken; a warning is what will not do what it was written for; a note is\n"
        "what somebody should know.\n\n"
        "  remora-control check mesh.yaml\n"
        "  remora-control check mesh.d/ more.yaml\n"
        "  remora-control check --json mesh.yaml | jq '.findings[] | select(.severity == \"error\")'\n"
        "  consul config read -kind service-router -name api > r.json && remora-control check r.json mesh.d/\n\n"
        "Exit code: 0 when there is neither an error nor a warning, else 1; 2 when the flags are wrong.",
    .flags = kFlags,
    .least = 1,
    .paths = true,
    .run = check};

}  // namespace remora::control
