// `remora-control explain`: what would happen to one request.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/commands.h"
#include "control/explain/explain.h"
#include "control/load_mesh.h"

namespace remora::control {
namespace {

constexpr std::array kFlags = {
    Flag{.name = "mesh",
         .value = Flag::Value::path,
         .placeholder = "PATH",
         .help = "a mesh file or folder; may be given several times",
         .repeats = true},
    Flag{.name = "from", .value = Flag::Value::word, .placeholder = "SERVICE", .help = "who sends the request"},
    Flag{.name = "from-id",
         .value = Flag::Value::word,
         .placeholder = "ID",
         .help = "which of its instances, when they differ"},
    Flag{.name = "header",
         .letter = 'H',
         .value = Flag::Value::word,
         .placeholder = "'NAME: VALUE'",
         .help = "a header of the request; may be given several times",
         .repeats = true},
    Flag{.name = "json", .help = "for programs: one JSON object on stdout"},
};

Result<explain::Question> question_of(const Arguments& arguments) {
  explain::Question question;
  if (!arguments.has("mesh") || !arguments.has("from")) {
    return fail("--mesh and --from are required: remora-control explain --mesh mesh.yaml --from web GET http://api/v2");
  }
  question.from = arguments.value("from");
  question.from_id = arguments.value("from-id");
  if (arguments.positional.size() > 1) {
    question.method = arguments.positional[0];
  }
  if (auto url = explain::set_url(question, arguments.positional.back()); !url) {
    return std::unexpected(url.error());
  }
  for (const std::string& line : arguments.values("header")) {
    if (auto header = explain::add_header(question, line); !header) {
      return std::unexpected(header.error());
    }
  }
  return question;
}

int run_explain(const Arguments& arguments, const Output& output) {
  const auto question = question_of(arguments);
  if (!question) {
    output.err(fmt::format("error: {}\n", question.error().message));
    return kUsage;
  }
  const auto paths = arguments.values("mesh");
  const catalog::CatalogPtr mesh = load_mesh({paths.begin(), paths.end()}, output);
  if (mesh == nullptr) {
    return kFound;
  }
  const explain::Explanation explanation = explain::explain(*mesh, *question);
  output.out(arguments.has("json") ? to_json(explanation) : to_text(explanation));
  return explanation.blocked.empty() ? kFine : kFound;
}

}  // namespace

const Command kExplainCommand = {
    .name = "explain",
    .arguments = "[METHOD] URL",
    .summary = "Say what would happen to a request, and which line decides",
    .about =
        "URL names an upstream by its service or by its local address. The route is found by the proxy's own code, "
        "over\n"
        "the resources that the proxy would get.\n\n"
        "  remora-control explain --mesh mesh.yaml --from web GET http://api/v2/orders -H 'x-user: a'\n"
        "  remora-control explain --mesh mesh.yaml --from web http://127.0.0.1:9191/\n"
        "  remora-control explain --mesh mesh.d --from api tcp://db\n"
        "  remora-control explain --json --mesh mesh.yaml --from web http://api/ | jq '.shares[].endpoints'\n\n"
        "Exit code: 0 when the request would be sent, 1 when something keeps it back; 2 when the flags are wrong.",
    .flags = kFlags,
    .least = 1,
    .most = 2,
    .run = run_explain};

}  // namespace remora::control
