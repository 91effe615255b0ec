#include "control/explain/flatten.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <array>
#include <memory>
#include <vector>

namespace remora::explain {
namespace {

namespace pb = google::protobuf;

class Flattener {
 public:
  explicit Flattener(Lines& lines) : lines_(lines) {}

  void message(const std::string& path, const pb::Message& from) {
    if (value_of(path, from)) {
      return;
    }
    std::vector<const pb::FieldDescriptor*> fields;
    from.GetReflection()->ListFields(from, &fields);
    if (fields.empty() && !path.empty()) {
      lines_[path] = "{}";
    }
    for (const pb::FieldDescriptor* field : fields) {
      const std::string here = path.empty() ? field->name() : path + "." + field->name();
      if (field->is_map()) {
        map(here, from, *field);
      } else if (field->is_repeated()) {
        list(here, from, *field);
      } else if (field->message_type() != nullptr) {
        message(here, from.GetReflection()->GetMessage(from, field));
      } else {
        lines_[here] = scalar(from, *field, -1);
      }
    }
  }

 private:
  // Messages that people see as one value, and Any.
  bool value_of(const std::string& path, const pb::Message& from) {
    const std::string& type = from.GetDescriptor()->full_name();
    if (type == "google.protobuf.Any") {
      any(path, static_cast<const pb::Any&>(from));
      return true;
    }
    if (type == "google.protobuf.Duration") {
      const auto& duration = static_cast<const pb::Duration&>(from);
      lines_[path] = fmt::format("{}s", static_cast<double>(duration.seconds()) + duration.nanos() / 1e9);
      return true;
    }
    if (type == "google.protobuf.Struct") {
      for (const auto& [name, value] : static_cast<const pb::Struct&>(from).fields()) {
        message(fmt::format("{}.{}", path, name), value);
      }
      return true;
    }
    if (type == "google.protobuf.Value") {
      const auto& value = static_cast<const pb::Value&>(from);
      if (value.has_struct_value()) {
        message(path, value.struct_value());
        return true;
      }
      std::string json;
      lines_[path] = pb::util::MessageToJsonString(value, &json).ok() ? json : "?";
      return true;
    }
    const bool wrapper = type.starts_with("google.protobuf.") && type.ends_with("Value");
    if (wrapper) {
      lines_[path] = scalar(from, *from.GetDescriptor()->field(0), -1);
    }
    return wrapper;
  }

  void any(const std::string& path, const pb::Any& from) {
    const std::string name = from.type_url().substr(from.type_url().rfind('/') + 1);
    const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    std::unique_ptr<pb::Message> inner(
        type == nullptr ? nullptr : pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
    if (inner == nullptr || !inner->ParseFromString(from.value())) {
      lines_[path] = name;
      return;
    }
    lines_[path + ".@type"] = name;
    message(path, *inner);
  }

  void map(const std::string& path, const pb::Message& from, const pb::FieldDescriptor& field) {
    const pb::Reflection& reflection = *from.GetReflection();
    for (int i = 0; i < reflection.FieldSize(from, &field); ++i) {
      const pb::Message& entry = reflection.GetRepeatedMessage(from, &field, i);
      const std::string key = scalar(entry, *entry.GetDescriptor()->map_key(), -1);
      const pb::FieldDescriptor& value = *entry.GetDescriptor()->map_value();
      const std::string here = fmt::format("{}[{}]", path, key);
      if (value.message_type() != nullptr) {
        message(here, entry.GetReflection()->GetMessage(entry, &value));
      } else {
        lines_[here] = scalar(entry, value, -1);
      }
    }
  }

  void list(const std::string& path, const pb::Message& from, const pb::FieldDescriptor& field) {
    const pb::Reflection& reflection = *from.GetReflection();
    std::string order;
    std::map<std::string, int> used;
    const int size = reflection.FieldSize(from, &field);
    for (int i = 0; i < size; ++i) {
      if (field.message_type() == nullptr) {
        order += fmt::format("{}{}", order.empty() ? "" : ", ", scalar(from, field, i));
        continue;
      }
      const pb::Message& one = reflection.GetRepeatedMessage(from, &field, i);
      std::string key = key_of(one);
      const bool named = !key.empty();
      key = named ? key : std::to_string(i);
      if (const int count = ++used[key]; count > 1) {
        key += fmt::format("#{}", count);
      }
      if (named) {
        order += fmt::format("{}{}", order.empty() ? "" : ", ", key);
      }
      message(fmt::format("{}[{}]", path, key), one);
    }
    if (!order.empty() && (size > 1 || field.message_type() == nullptr)) {
      lines_[path] = order;
    }
  }

  // What tells an element of a list from the others.
  static std::string key_of(const pb::Message& message) {
    static constexpr std::array<const char*, 4> kNames = {"name", "header", "endpoint", "address"};
    for (const char* name : kNames) {
      const pb::FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
      if (field == nullptr || field->is_repeated()) {
        continue;
      }
      if (field->type() == pb::FieldDescriptor::TYPE_STRING) {
        return message.GetReflection()->GetString(message, field);
      }
      if (field->message_type() != nullptr && message.GetReflection()->HasField(message, field)) {
        return inner_key(message.GetReflection()->GetMessage(message, field));
      }
    }
    return {};
  }

  // Of a HeaderValue, or an Endpoint and its address.
  static std::string inner_key(const pb::Message& message) {
    const pb::Reflection& reflection = *message.GetReflection();
    const pb::Descriptor& type = *message.GetDescriptor();
    if (const auto* key = type.FindFieldByName("key");
        key != nullptr && key->type() == pb::FieldDescriptor::TYPE_STRING) {
      return reflection.GetString(message, key);
    }
    if (const auto* port = type.FindFieldByName("port_value"); port != nullptr && type.name() == "SocketAddress") {
      return fmt::format("{}:{}", reflection.GetString(message, type.FindFieldByName("address")),
                         reflection.GetUInt32(message, port));
    }
    if (const auto* path = type.FindFieldByName("path"); path != nullptr && type.name() == "Pipe") {
      return reflection.GetString(message, path);
    }
    for (const char* name : {"address", "socket_address", "pipe"}) {
      const auto* field = type.FindFieldByName(name);
      if (field != nullptr && field->message_type() != nullptr && reflection.HasField(message, field)) {
        return inner_key(reflection.GetMessage(message, field));
      }
    }
    return {};
  }

  static std::string scalar(const pb::Message& from, const pb::FieldDescriptor& field, int index) {
    std::string text;
    const pb::Reflection& reflection = *from.GetReflection();
    if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
      text = index < 0 ? reflection.GetString(from, &field) : reflection.GetRepeatedString(from, &field, index);
      return text.empty() ? "\"\"" : text;
    }
    pb::TextFormat::PrintFieldValueToString(from, &field, index, &text);
    return text;
  }

  Lines& lines_;
};

}  // namespace

Lines flatten(const pb::Message& message) {
  Lines result;
  Flattener(result).message({}, message);
  return result;
}

}  // namespace remora::explain
