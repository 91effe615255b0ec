// ServiceSplitter: the config entry `service-splitter`: shares of a service's requests for services and subsets.
// A value; any thread. Source: Consul's structs.ServiceSplitterConfigEntry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/catalog/common.h"

namespace remora::catalog {

struct Split {
  Place place;
  std::uint32_t weight = 0;  // hundredths of a percent: 10000 is all. Consul rounds to them as well
  std::string service;       // empty: the splitter's own
  std::string service_subset;
  HeaderChanges request_headers;
  HeaderChanges response_headers;

  bool operator==(const Split&) const = default;
};

struct ServiceSplitter {
  EntryHead head;
  std::vector<Split> splits;

  bool operator==(const ServiceSplitter&) const = default;
};

}  // namespace remora::catalog
