// Fuzzes Consul's filter language: any text is parsed or refused with a place inside it; what is parsed can be asked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/consul/filter.h"
#include "core/consul/health_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace remora::consul;
  static const HealthEntry entry = [] {
    HealthEntry made;
    made.service.tags = {"v1", "b"};
    made.service.meta = {{"version", "2"}, {"my-key", ""}};
    made.service.port = 80;
    made.checks.resize(2);
    made.checks.front().status = "passing";
    return made;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto filter = Filter::parse(text);
  if (!filter) {
    if (filter.error().position > text.size() || filter.error().to_string(text).empty()) {
      std::abort();
    }
    return 0;
  }
  (void)filter->matches(selectable(entry));
  (void)Filter::parse(text, health_entry_schema());
  return 0;
}
