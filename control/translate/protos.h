// Small steps from values to protobuf messages that all of translation's files take. Pure functions; any thread.
#pragma once

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>

#include <memory>
#include <string>
#include <utility>

#include "control/catalog/common.h"
#include "control/translate/translate.h"
#include "core/base/time.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"

namespace remora::translate {

namespace pb = google::protobuf;
namespace core_v3 = envoy::config::core::v3;

void set_duration(pb::Duration& to, Nanoseconds from);
pb::Any pack(const pb::Message& message);
void set_address(core_v3::Address& to, const std::string& address, std::uint16_t port);
bool is_ip(const std::string& address);
// "From the stream that brought you this."
void set_ads(core_v3::ConfigSource& to);
// filter_metadata.remora.
pb::Struct& remora_settings(core_v3::Metadata& metadata);
void set_number(pb::Struct& to, const std::string& name, double value);
std::string duration_text(Nanoseconds value);  // "0.250s", as proto JSON says it

// Any message with Envoy's four fields of header changes.
template <typename Message>
void set_header_changes(Message& to, const catalog::HeaderChanges& request, const catalog::HeaderChanges& response) {
  using Action = core_v3::HeaderValueOption::HeaderAppendAction;
  const auto add = [](core_v3::HeaderValueOption& option, const auto& header, Action action) {
    option.mutable_header()->set_key(header.first);
    option.mutable_header()->set_value(header.second);
    option.set_append_action(action);
  };
  for (const auto& header : request.add) {
    add(*to.add_request_headers_to_add(), header, core_v3::HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  }
  for (const auto& header : request.set) {
    add(*to.add_request_headers_to_add(), header, core_v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  }
  for (const auto& header : response.add) {
    add(*to.add_response_headers_to_add(), header, core_v3::HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  }
  for (const auto& header : response.set) {
    add(*to.add_response_headers_to_add(), header, core_v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  }
  for (const std::string& name : request.remove) {
    to.add_request_headers_to_remove(name);
  }
  for (const std::string& name : response.remove) {
    to.add_response_headers_to_remove(name);
  }
}

template <typename Message>
MessagePtr shared(Message message) {
  return std::make_shared<const Message>(std::move(message));
}

}  // namespace remora::translate
