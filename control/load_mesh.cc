#include "control/load_mesh.h"

#include <fmt/format.h>

#include "control/catalog/mesh_files.h"

namespace remora::control {

catalog::CatalogPtr load_mesh(const std::vector<std::string>& paths, const Output& output) {
  catalog::Loaded loaded = catalog::MeshFiles(paths).load();
  if (loaded.catalog == nullptr) {
    for (const catalog::Finding& finding : loaded.findings) {
      if (finding.severity == catalog::Severity::error) {
        output.err(finding.what.to_string() + "\n");
      }
    }
    output.err(fmt::format("the mesh is not taken: `remora-control check {}` shows all\n", fmt::join(paths, " ")));
  }
  return loaded.catalog;
}

}  // namespace remora::control
