// What translation would refuse or leave out, as findings of `check`: a mesh that is well by itself may still ask for
// what no proxy can be told. A pure function; main thread.
#pragma once

#include "control/catalog/mesh_files.h"

namespace remora::control {

// Adds them in the order of files and lines, none that is there already. REQUIRES: the mesh was taken.
void add_translation(catalog::Loaded& loaded);

}  // namespace remora::control
