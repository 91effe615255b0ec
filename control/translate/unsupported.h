// Unsupported: what Consul's vocabulary has, the catalog reads, and no proxy can be told yet. Each is a warning where
// it is written: nothing that somebody wrote is silently without effect. docs/translation.md has the whole vocabulary.
// A pure function; any thread.
#pragma once

#include "control/catalog/catalog.h"
#include "control/translate/problem.h"

namespace remora::translate {

// What concerns one sidecar: of its own registration, its service's service-defaults, and proxy-defaults.
void warn_of_unsupported(const catalog::Catalog& catalog, const catalog::Service& service, Problems& problems);

}  // namespace remora::translate
