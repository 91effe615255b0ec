#include "control/catalog/share_unchanged.h"

#include <algorithm>

namespace remora::catalog {
namespace {

bool same_place(const Place& a, const Place& b) { return a.line == b.line && a.column == b.column && a.path == b.path; }

template <typename Entry>
bool unchanged(const Entry& a, const Entry& b) {
  return same_place(a.head.place, b.head.place) && a == b;
}

bool unchanged(const Instances& a, const Instances& b) {
  return std::ranges::equal(a, b, [](const Service& x, const Service& y) { return same_place(x.place, y.place); }) &&
         a == b;
}

template <typename T>
void share(const ByName<T>& before, ByName<T>& now) {
  for (auto& [name, part] : now) {
    const auto found = before.find(name);
    if (found != before.end() && unchanged(*found->second, *part)) {
      part = found->second;
    }
  }
}

}  // namespace

CatalogPtr share_unchanged(const Catalog& before, const Catalog& now) {
  auto result = std::make_shared<Catalog>(now);
  share(before.services, result->services);
  share(before.service_defaults, result->service_defaults);
  share(before.routers, result->routers);
  share(before.splitters, result->splitters);
  share(before.resolvers, result->resolvers);
  share(before.intentions, result->intentions);
  if (before.proxy_defaults != nullptr && now.proxy_defaults != nullptr &&
      unchanged(*before.proxy_defaults, *now.proxy_defaults)) {
    result->proxy_defaults = before.proxy_defaults;
  }
  return result;
}

}  // namespace remora::catalog
