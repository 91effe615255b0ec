#include "proxy/xds/json.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>

namespace remora::xds {

std::string to_json(const google::protobuf::Any& any) {
  namespace util = google::protobuf::util;
  util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const std::unique_ptr<util::TypeResolver> resolver(util::NewTypeResolverForDescriptorPool(
      "type.googleapis.com", google::protobuf::DescriptorPool::generated_pool()));
  std::string json;
  const auto status = util::BinaryToJsonString(resolver.get(), any.type_url(), any.value(), &json, options);
  return status.ok() ? json : std::string();
}

}  // namespace remora::xds
