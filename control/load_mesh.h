// load_mesh: the mesh that a command was told of, or its mistakes on stderr. Main thread.
#pragma once

#include <string>
#include <vector>

#include "control/catalog/catalog.h"
#include "control/cli.h"

namespace remora::control {

// Null, once told, when the files hold errors.
catalog::CatalogPtr load_mesh(const std::vector<std::string>& paths, const Output& output);

}  // namespace remora::control
