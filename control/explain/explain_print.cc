#include <fmt/format.h>
#include <google/protobuf/struct.pb.h>

#include "control/explain/explain.h"
#include "control/translate/translate.h"

namespace remora::explain {
namespace {

namespace pb = google::protobuf;

std::string line(std::string_view name, const std::string& text, const catalog::Place& place = {}) {
  if (text.empty()) {
    return {};
  }
  const std::string where = place.to_string();
  return where.empty() ? fmt::format("  {:<10} {}\n", name, text)
                       : fmt::format("  {:<10} {:<40} {}\n", name, text, where);
}

std::string endpoints_of(const Group& group) {
  std::string out;
  for (const Who& who : group.endpoints) {
    out += fmt::format("{}{} ({}{}{})", out.empty() ? "" : ", ", who.address, who.id, who.state.empty() ? "" : ", ",
                       who.state);
  }
  return out.empty() ? "none" : out;
}

std::string text_of(const Share& share, bool only) {
  std::string out =
      line("cluster", fmt::format("{}{}", share.cluster, only ? "" : fmt::format(", {} %", share.percent)),
           share.group.place);
  for (const std::string& step : share.way) {
    out += line("", "by " + step);
  }
  out += share.group.filter.empty() ? "" : line("", "those with " + share.group.filter);
  out += line("endpoints", endpoints_of(share.group));
  for (const Group& group : share.failover) {
    out += line("else", fmt::format("{}: {}", group.target, endpoints_of(group)), group.place);
  }
  return out + line("balanced", fmt::format("{}, connected within {}", share.balancer, share.connect_timeout));
}

void set(pb::Struct& to, const char* name, const std::string& text) {
  (*to.mutable_fields())[name].set_string_value(text);
}

void add_all(pb::Struct& to, const char* name, const std::vector<std::string>& texts) {
  auto& list = *(*to.mutable_fields())[name].mutable_list_value();
  for (const std::string& text : texts) {
    list.add_values()->set_string_value(text);
  }
}

void fill(pb::Struct& to, const Fact& fact) {
  set(to, "is", fact.text);
  if (const std::string where = fact.place.to_string(); !where.empty()) {
    set(to, "at", where);
  }
}

void set(pb::Struct& to, const char* name, const Fact& fact) {
  if (!fact.text.empty()) {
    fill(*(*to.mutable_fields())[name].mutable_struct_value(), fact);
  }
}

void fill(pb::Struct& to, const Group& group) {
  set(to, "target", group.target);
  if (!group.filter.empty()) {
    set(to, "filter", group.filter);
  }
  if (const std::string where = group.place.to_string(); !where.empty()) {
    set(to, "at", where);
  }
  auto& list = *(*to.mutable_fields())["endpoints"].mutable_list_value();
  for (const Who& who : group.endpoints) {
    pb::Struct& one = *list.add_values()->mutable_struct_value();
    set(one, "id", who.id);
    set(one, "address", who.address);
    set(one, "state", who.state);
  }
}

}  // namespace

std::string to_text(const Explanation& explanation) {
  std::string out = explanation.request + "\n";
  if (!explanation.blocked.empty()) {
    out += line("BLOCKED", explanation.blocked);
  }
  for (const std::string& note : explanation.notes) {
    out += line("note", note);
  }
  out += line("listener", explanation.listener.text, explanation.listener.place);
  out += line("protocol", explanation.protocol);
  out += line("route", explanation.route.text + (explanation.route_entry.empty() ? "" : "  " + explanation.route_entry),
              explanation.route.place);
  if (!explanation.passed_over.empty()) {
    out += line("", fmt::format("not {}", fmt::join(explanation.passed_over, ", ")));
  }
  out += line("sent as", explanation.sent_path);
  for (const Share& share : explanation.shares) {
    out += text_of(share, explanation.shares.size() == 1);
  }
  out += line("timeout", explanation.timeout.text, explanation.timeout.place);
  out += line("retries", explanation.retries.text, explanation.retries.place);
  for (const Fact& intention : explanation.intentions) {
    out += line("intention", intention.text, intention.place);
  }
  return out;
}

std::string to_json(const Explanation& explanation) {
  pb::Struct out;
  set(out, "request", explanation.request);
  (*out.mutable_fields())["blocked"].set_bool_value(!explanation.blocked.empty());
  if (!explanation.blocked.empty()) {
    set(out, "reason", explanation.blocked);
  }
  add_all(out, "notes", explanation.notes);
  set(out, "protocol", explanation.protocol);
  set(out, "listener", explanation.listener);
  set(out, "route", explanation.route);
  if (!explanation.route_entry.empty()) {
    set(out, "route_entry", explanation.route_entry);
  }
  add_all(out, "passed_over", explanation.passed_over);
  if (!explanation.sent_path.empty()) {
    set(out, "sent_path", explanation.sent_path);
  }
  auto& shares = *(*out.mutable_fields())["shares"].mutable_list_value();
  for (const Share& share : explanation.shares) {
    pb::Struct& one = *shares.add_values()->mutable_struct_value();
    (*one.mutable_fields())["percent"].set_number_value(share.percent);
    set(one, "cluster", share.cluster);
    add_all(one, "way", share.way);
    set(one, "balancer", share.balancer);
    set(one, "connect_timeout", share.connect_timeout);
    fill(one, share.group);
    auto& failover = *(*one.mutable_fields())["failover"].mutable_list_value();
    for (const Group& group : share.failover) {
      fill(*failover.add_values()->mutable_struct_value(), group);
    }
  }
  set(out, "timeout", explanation.timeout);
  set(out, "retries", explanation.retries);
  auto& intentions = *(*out.mutable_fields())["intentions"].mutable_list_value();
  for (const Fact& intention : explanation.intentions) {
    fill(*intentions.add_values()->mutable_struct_value(), intention);
  }
  return translate::json_of(out);
}

}  // namespace remora::explain
