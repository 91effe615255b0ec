// share_unchanged: a catalog that was read anew from files points at the parts of the one before where nothing changed,
// so that whoever caches by their addresses sees what did. A part that moved to another line is another one: what is
// said of it names where it stands now. Pure; any thread.
#pragma once

#include "control/catalog/catalog.h"

namespace remora::catalog {

CatalogPtr share_unchanged(const Catalog& before, const Catalog& now);

}  // namespace remora::catalog
