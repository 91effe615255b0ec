// CatalogEvents: what whoever runs on a catalog hears of its source, be that files or Consul. Main thread.
#pragma once

#include <string>

#include "control/catalog/catalog.h"
#include "control/catalog/validate.h"

namespace remora::catalog {

class CatalogEvents {
 public:
  // A new catalog, whole: it replaces the last one. It shares the parts that did not change.
  virtual void on_catalog(CatalogPtr catalog) = 0;
  // What was found at the last reading; with an error among it the last good catalog goes on. Empty: all is well again.
  virtual void on_findings(const Findings& findings) = 0;
  // For the log: what is wrong with the source itself, or is well again.
  virtual void on_source(const std::string& words) { (void)words; }

 protected:
  ~CatalogEvents() = default;
};

}  // namespace remora::catalog
