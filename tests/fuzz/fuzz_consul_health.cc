// Fuzzes Consul's answers: any body is read or refused with words; what is read can be filtered.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/consul/filter.h"
#include "core/consul/health_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace remora::consul;
  static const Filter filter = Filter::parse("Service.Meta.version == 2 or Checks.Output contains x").value();
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto entries = parse_health(body, {.keep_output = true});
  if (!entries && entries.error().message.empty()) {
    std::abort();
  }
  if (entries) {
    for (const HealthEntry& entry : *entries) {
      (void)filter.matches(selectable(entry));
    }
  }
  (void)parse_prepared_query(body);
  return 0;
}
