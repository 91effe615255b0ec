// Builder: documents put together into one catalog: what is written twice is an error, with both places. Main thread.
#pragma once

#include <memory>
#include <span>

#include "control/catalog/catalog.h"
#include "control/catalog/document.h"
#include "core/config/config_error.h"

namespace remora::catalog {

// Files: every instance is here; once there is any intention, what none of them allows is denied.
std::shared_ptr<Catalog> build_catalog(std::span<const std::shared_ptr<const Document>> documents,
                                       config::ConfigErrors& errors);

// An error at a place: how all that looks at a whole catalog reports.
config::ConfigError error_at(const Place& place, std::string message);

}  // namespace remora::catalog
