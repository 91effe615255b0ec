// Subsets whose filter is none, or matches no instance that is here.
#include <fmt/format.h>

#include <algorithm>

#include "control/catalog/findings.h"
#include "control/catalog/health_view.h"
#include "core/consul/filter.h"

namespace remora::catalog {

void check_subsets(const Catalog& catalog, Report& report) {
  for (const auto& [name, resolver] : catalog.resolvers) {
    const auto instances = catalog.instances(name);
    for (const auto& [subset, definition] : resolver->subsets) {
      const auto filter = consul::Filter::parse(definition.filter, consul::health_entry_schema());
      if (!filter) {
        report.error(definition.place, filter.error().to_string(definition.filter));
        continue;
      }
      const bool any = std::ranges::any_of(instances, [&](const Service& service) {
        const consul::HealthEntry entry = health_view(service, catalog.datacenter);
        return filter->matches(consul::selectable(entry));
      });
      if (catalog.complete && !any) {
        report.warning(
            definition.place,
            instances.empty()
                ? fmt::format("the subset '{}' is empty: '{}' has no instances", subset, name)
                : fmt::format("the subset '{}' is empty: none of the {} instance{} of '{}' matches {}", subset,
                              instances.size(), instances.size() == 1 ? "" : "s", name, definition.filter));
      }
    }
  }
}

}  // namespace remora::catalog
