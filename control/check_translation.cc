#include "control/check_translation.h"

#include <algorithm>
#include <tuple>

#include "control/catalog/builder.h"
#include "control/catalog/stable_order.h"
#include "control/translate/translate.h"

namespace remora::control {
namespace {

using catalog::Finding;
using catalog::Findings;

bool told(const Findings& findings, const Finding& finding) {
  return std::ranges::any_of(findings, [&](const Finding& other) {
    return std::tie(other.what.file, other.what.line, other.what.column, other.what.message) ==
           std::tie(finding.what.file, finding.what.line, finding.what.column, finding.what.message);
  });
}

}  // namespace

void add_translation(catalog::Loaded& loaded) {
  const std::size_t before = loaded.findings.size();
  for (const translate::Problem& problem : translate::check(*loaded.catalog)) {
    Finding finding{
        problem.severity == translate::Problem::Severity::error ? catalog::Severity::error : catalog::Severity::warning,
        catalog::error_at(problem.place, problem.message)};
    if (!told(loaded.findings, finding)) {
      loaded.findings.push_back(std::move(finding));
    }
  }
  if (loaded.findings.size() == before) {
    return;
  }
  catalog::sort_stably(loaded.findings, [&](const Finding& one) {
    const auto file = std::ranges::find(loaded.files, one.what.file) - loaded.files.begin();
    return std::tuple(file, one.what.line, one.what.column);
  });
}

}  // namespace remora::control
