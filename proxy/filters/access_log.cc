#include "proxy/filters/access_log.h"

#include "proxy/filters/formatter.h"

namespace remora::proxy {

void append_access_log_line(std::string& out, const model::AccessLog& log, const RequestInfo& info) {
  if (!log.json) {
    append_format(out, log.text, info, log.omit_empty_values ? Missing::nothing : Missing::dash);
    return;
  }
  append_json_object(out, log.fields, info, log.omit_empty_values);
  out.push_back('\n');
}

bool wants_access_log(const model::AccessLog& log, const RequestInfo& info, Random& random) {
  if (log.min_status && info.response_code < *log.min_status) {
    return false;
  }
  if (log.min_duration && info.end - info.start < *log.min_duration) {
    return false;
  }
  return log.sample_per_million >= 1'000'000 || random.below(1'000'000) < log.sample_per_million;
}

void AccessLogQueue::log(const model::AccessLog& log, const RequestInfo& info, Random& random) {
  if (!wants_access_log(log, info, random)) {
    return;
  }
  line_.clear();
  append_access_log_line(line_, log, info);
  if (ring_.push(log.path, line_)) {
    metrics_.access_log_lines.add();
  } else {
    metrics_.access_log_dropped.add();
  }
  writer_.after_push(ring_);
}

}  // namespace remora::proxy
