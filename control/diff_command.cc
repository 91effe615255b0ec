// `remora-control diff`: what a change of the mesh changes for which proxy.
#include <array>

#include "control/commands.h"
#include "control/explain/diff.h"
#include "control/load_mesh.h"

namespace remora::control {
namespace {

constexpr std::array kFlags = {
    Flag{.name = "json", .help = "for programs: one JSON object on stdout"},
    Flag{.name = "exit-code", .help = "exit with 1 when there is any difference"},
};

int run_diff(const Arguments& arguments, const Output& output) {
  const catalog::CatalogPtr before = load_mesh({arguments.positional[0]}, output);
  const catalog::CatalogPtr after = load_mesh({arguments.positional[1]}, output);
  if (before == nullptr || after == nullptr) {
    return kFound;
  }
  const explain::Diff diff = explain::diff(*before, *after);
  output.out(arguments.has("json") ? to_json(diff) : to_text(diff));
  return arguments.has("exit-code") && !diff.changes.empty() ? kFound : kFine;
}

}  // namespace

const Command kDiffCommand = {
    .name = "diff",
    .arguments = "OLD NEW",
    .summary = "Show what a change of the mesh changes for which proxy",
    .about =
        "OLD and NEW are mesh files or folders. For each proxy: the resources that come (+) and go (-), and the fields "
        "of\n"
        "those that change (~); proxies that see the same change stand in one line.\n\n"
        "  remora-control diff mesh.yaml mesh-new.yaml\n"
        "  git show HEAD:mesh.yaml > /tmp/old.yaml && remora-control diff /tmp/old.yaml mesh.yaml\n"
        "  remora-control diff --json old.d new.d | jq '.changes[].proxies'\n\n"
        "Exit code: 0; with --exit-code 1 when there is a difference; 1 when a mesh holds errors; 2 when the flags "
        "are\n"
        "wrong.",
    .flags = kFlags,
    .least = 2,
    .most = 2,
    .paths = true,
    .run = run_diff};

}  // namespace remora::control
