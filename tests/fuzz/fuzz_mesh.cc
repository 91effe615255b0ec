// The reader of mesh files takes any bytes, as YAML, as JSON and as an answer of Consul's: it answers with values or
// with errors that have a place, and never crashes; what it took, the checks of a whole mesh take too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "control/catalog/builder.h"
#include "control/catalog/mesh_files.h"
#include "core/config/json_tree.h"

namespace {

using namespace remora;

void judge(const catalog::Document& document, config::ConfigErrors& errors) {
  const std::shared_ptr<const catalog::Document> one(std::shared_ptr<void>(), &document);
  const auto mesh = catalog::build_catalog(std::span(&one, 1), errors);
  for (const catalog::Finding& finding : catalog::validate(*mesh)) {
    if (finding.what.message.empty()) {
      std::abort();
    }
  }
}

void check(const config::ConfigErrors& errors) {
  for (const config::ConfigError& error : errors) {
    if (error.to_string().empty() || error.message.empty() || error.line < 0) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* file : {"fuzz.yaml", "fuzz.json"}) {
    config::ConfigErrors errors;
    const auto document = catalog::read_text(text, file, errors);
    judge(*document, errors);
    check(errors);
  }
  config::ConfigErrors errors;
  const auto tree = config::parse_json(text, "", errors, config::JsonPlaces::none);
  catalog::Reading reading{std::make_shared<const std::string>("Consul"), catalog::Dialect::consul, {}};
  const catalog::Document document = catalog::read_document(*tree, reading);
  judge(document, reading.errors);
  check(reading.errors);
  return 0;
}
