#include "control/server/source_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/admin/json.h"

namespace remora::control {
namespace {

double seconds(Nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string line_of(const SourceWatch& watch) {
  const double age = seconds(watch.age);
  std::string line = watch.answered ? fmt::format("GET {}: answered {:.1f} s ago", watch.path, age)
                                    : fmt::format("GET {}: no answer yet, for {:.1f} s", watch.path, age);
  if (!watch.failure.empty()) {
    line += fmt::format("\n  fails: {}{}", watch.failure,
                        watch.answered ? "; the last good answer goes on" : "; control waits for it");
  }
  return line + "\n";
}

}  // namespace

std::size_t failing(const Sources& sources) {
  return static_cast<std::size_t>(
      std::ranges::count_if(sources.watches, [](const SourceWatch& watch) { return !watch.failure.empty(); }));
}

Nanoseconds oldest(const Sources& sources) {
  Nanoseconds age{0};
  for (const SourceWatch& watch : sources.watches) {
    age = std::max(age, watch.age);
  }
  return age;
}

std::string sources_text(const Sources& sources) {
  std::string out = fmt::format("the mesh comes from {}\n", sources.from);
  if (sources.doubted_for > Nanoseconds(0)) {
    out += fmt::format(
        "there was an outage of Consul: for {:.0f} s more, answers that take everything away are not believed\n",
        seconds(sources.doubted_for));
  }
  if (sources.consul) {
    out += fmt::format("{} of {} watches fail\n", failing(sources), sources.watches.size());
  }
  for (const SourceWatch& watch : sources.watches) {
    out += line_of(watch);
  }
  return out;
}

std::string sources_json(const Sources& sources) {
  admin::JsonWriter json;
  json.begin_object();
  json.key("from").string(sources.from);
  json.key("doubted_for_seconds").raw(fmt::format("{:.3f}", seconds(sources.doubted_for)));
  json.key("watches").begin_array();
  for (const SourceWatch& watch : sources.watches) {
    json.begin_object();
    json.key("path").string(watch.path);
    json.key("answered").boolean(watch.answered);
    json.key("age_seconds").raw(fmt::format("{:.3f}", seconds(watch.age)));
    json.key("failure").string(watch.failure);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace remora::control
