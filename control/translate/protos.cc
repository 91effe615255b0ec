#include "control/translate/protos.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include "core/base/address.h"

namespace remora::translate {

void set_duration(pb::Duration& to, Nanoseconds from) {
  const auto count = from.count() < 0 ? 0 : from.count();
  to.set_seconds(count / 1'000'000'000);
  to.set_nanos(static_cast<std::int32_t>(count % 1'000'000'000));
}

std::string bytes_of(const pb::Message& message) {
  std::string result;
  {
    pb::io::StringOutputStream stream(&result);
    pb::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return result;
}

std::string json_of(const pb::Message& message) {
  namespace util = pb::util;
  util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = true;
  const std::unique_ptr<util::TypeResolver> resolver(
      util::NewTypeResolverForDescriptorPool("type.googleapis.com", pb::DescriptorPool::generated_pool()));
  std::string json;
  const auto status = util::BinaryToJsonString(
      resolver.get(), "type.googleapis.com/" + message.GetDescriptor()->full_name(), bytes_of(message), &json, options);
  return status.ok() ? json : fmt::format("cannot be printed: {}\n", std::string(status.message()));
}

pb::Any pack(const pb::Message& message) {
  pb::Any any;
  any.set_type_url("type.googleapis.com/" + message.GetDescriptor()->full_name());
  any.set_value(bytes_of(message));
  return any;
}

void set_address(core_v3::Address& to, const std::string& address, std::uint16_t port) {
  to.mutable_socket_address()->set_address(address);
  to.mutable_socket_address()->set_port_value(port);
}

bool is_ip(const std::string& address) { return Address::parse(address, 0).has_value(); }

void set_ads(core_v3::ConfigSource& to) {
  to.mutable_ads();
  to.set_resource_api_version(core_v3::V3);
}

pb::Struct& remora_settings(core_v3::Metadata& metadata) { return (*metadata.mutable_filter_metadata())["remora"]; }

void set_number(pb::Struct& to, const std::string& name, double value) {
  (*to.mutable_fields())[name].set_number_value(value);
}

std::string duration_text(Nanoseconds value) {
  const auto millis = std::chrono::duration_cast<Milliseconds>(value).count();
  return millis % 1000 == 0 ? fmt::format("{}s", millis / 1000)
                            : fmt::format("{}.{:03}s", millis / 1000, millis % 1000);
}

}  // namespace remora::translate
