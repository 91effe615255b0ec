#include "proxy/xds/proto_reader.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <vector>

#include "core/base/nearest.h"
#include "core/config/yaml_scalar.h"
#include "proxy/xds/known_names.h"

namespace remora::xds {

using config::as_bool;
using config::as_bytes;
using config::as_double;
using config::as_duration;
using config::as_int64;
using config::as_uint64;
using config::describe;
using config::scalar_kind;
using config::ScalarKind;
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;
using Kind = YamlNode::Kind;

constexpr int kMaxStructDepth = 16;            // protobuf's JSON printer takes 64 levels, and each of these is two
constexpr std::size_t kAliasBudget = 200'000;  // nodes that aliases may repeat

std::vector<std::string_view> field_names(const pb::Descriptor& message) {
  std::vector<std::string_view> names;
  for (int i = 0; i < message.field_count(); ++i) {
    names.emplace_back(message.field(i)->name());
  }
  return names;
}

const FieldDescriptor* find_field(const pb::Descriptor& message, const std::string& name) {
  if (const FieldDescriptor* field = message.FindFieldByName(name)) {
    return field;
  }
  for (int i = 0; i < message.field_count(); ++i) {
    if (message.field(i)->json_name() == name) {
      return message.field(i);
    }
  }
  return nullptr;
}

std::string snake_case(std::string_view camel) {
  std::string result;
  for (char c : camel) {
    if (c >= 'A' && c <= 'Z') {
      result += '_';
      c = static_cast<char>(c + 32);
    }
    result += c;
  }
  return result;
}

std::string unknown_field(const pb::Descriptor& message, const std::string& name) {
  const std::string snake = snake_case(name);
  if (is_envoys_member(message.full_name(), snake)) {
    return fmt::format("the field '{}' is Envoy's, but not supported by this version of Remora", name);
  }
  const auto names = field_names(message);
  const std::string guess = did_you_mean(snake, names);
  if (!guess.empty() || names.empty()) {
    return fmt::format("there is no field '{}' in {}{}", name, message.full_name(), guess);
  }
  return fmt::format("there is no field '{}' in {}: it has {}", name, message.full_name(), fmt::join(names, ", "));
}

std::string unknown_enum_value(const pb::EnumDescriptor& type, const YamlNode& node) {
  std::vector<std::string_view> names;
  for (int i = 0; i < type.value_count(); ++i) {
    names.emplace_back(type.value(i)->name());
  }
  const std::string known = fmt::format("{}", fmt::join(names, ", "));
  if (is_envoys_member(type.full_name(), node.text)) {
    return fmt::format("{} is Envoy's, but not supported by this version of Remora: expected one of {}", node.text,
                       known);
  }
  return fmt::format("expected one of {}, got {}{}", known, describe(node), did_you_mean(node.text, names));
}

std::string unknown_type(const std::string& url, const std::string& name) {
  if (is_envoys_extension(name)) {
    return fmt::format("{} is Envoy's, but not supported by this version of Remora", name);
  }
  const auto known = supported_extensions();
  return fmt::format("there is no message type '{}'{}", url, did_you_mean(name, known));
}

template <typename Integer>
std::string whole_number() {
  return fmt::format("a whole number from {} to {}", std::numeric_limits<Integer>::min(),
                     std::numeric_limits<Integer>::max());
}

// Where a value goes: a field of a message, or a new item of a list.
class Slot {
 public:
  Slot(pb::Message& message, const FieldDescriptor& field)
      : message_(message), field_(field), reflection_(*message.GetReflection()) {}

  void set(bool v) { put(&pb::Reflection::SetBool, &pb::Reflection::AddBool, v); }
  void set(std::int32_t v) { put(&pb::Reflection::SetInt32, &pb::Reflection::AddInt32, v); }
  void set(std::uint32_t v) { put(&pb::Reflection::SetUInt32, &pb::Reflection::AddUInt32, v); }
  void set(std::int64_t v) { put(&pb::Reflection::SetInt64, &pb::Reflection::AddInt64, v); }
  void set(std::uint64_t v) { put(&pb::Reflection::SetUInt64, &pb::Reflection::AddUInt64, v); }
  void set(double v) { put(&pb::Reflection::SetDouble, &pb::Reflection::AddDouble, v); }
  void set(float v) { put(&pb::Reflection::SetFloat, &pb::Reflection::AddFloat, v); }
  void set(std::string v) { put(&pb::Reflection::SetString, &pb::Reflection::AddString, std::move(v)); }
  void set_enum(int v) { put(&pb::Reflection::SetEnumValue, &pb::Reflection::AddEnumValue, v); }
  pb::Message& message() {
    return field_.is_repeated() ? *reflection_.AddMessage(&message_, &field_)
                                : *reflection_.MutableMessage(&message_, &field_);
  }

 private:
  template <typename Method, typename Value>
  void put(Method set, Method add, Value&& value) {
    (reflection_.*(field_.is_repeated() ? add : set))(&message_, &field_, std::forward<Value>(value));
  }

  pb::Message& message_;
  const FieldDescriptor& field_;
  const pb::Reflection& reflection_;
};

}  // namespace

std::string serialize(const pb::Message& message) {
  std::string bytes;
  {
    pb::io::StringOutputStream stream(&bytes);
    pb::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return bytes;
}

ProtoReader::ProtoReader(const YamlTree& tree) : tree_(tree), visits_left_(2 * tree.node_count() + kAliasBudget) {}

void ProtoReader::error(const Scope& scope, const YamlNode& node, std::string message) const {
  scope.error_at(tree_.file(), node, std::move(message));
}

bool ProtoReader::within_budget(const Scope& scope, const YamlNode& node) {
  if (visits_left_ > 0) {
    --visits_left_;
    return true;
  }
  if (!exhausted_) {
    error(scope, node, "aliases repeat so much that the configuration has no reasonable size");
  }
  exhausted_ = true;
  return false;
}

void ProtoReader::read(const Scope& scope, Message& into) {
  if (tree_.root().kind == Kind::null) {
    return;
  }
  message(scope, tree_.root(), into);
}

void ProtoReader::message(const Scope& scope, const YamlNode& node, Message& into) {
  if (!within_budget(scope, node) || well_known(scope, node, into)) {
    return;
  }
  if (node.kind != Kind::mapping) {
    error(scope, node,
          fmt::format("expected a mapping ({}), got {}", into.GetDescriptor()->full_name(), describe(node)));
    return;
  }
  fields(scope, node, into, false);
}

void ProtoReader::fields(const Scope& scope, const YamlNode& node, Message& into, bool any) {
  const pb::Descriptor& type = *into.GetDescriptor();
  std::unordered_map<const FieldDescriptor*, const YamlNode*> seen;
  std::unordered_map<const pb::OneofDescriptor*, const FieldDescriptor*> chosen;
  for (const auto& [key, value] : node.map) {
    if (any && key->text == "@type") {
      continue;
    }
    const FieldDescriptor* found = find_field(type, key->text);
    const Scope at = scope.field(found != nullptr ? std::string_view(found->name()) : std::string_view(key->text));
    if (found == nullptr) {
      error(at, *key, unknown_field(type, key->text));
      continue;
    }
    if (!seen.emplace(found, key).second) {
      error(at, *key, fmt::format("'{}' is here twice, in both its spellings", found->name()));
      continue;
    }
    if (const auto* oneof = found->containing_oneof(); oneof != nullptr && value->kind != Kind::null) {
      if (const auto [other, fresh] = chosen.emplace(oneof, found); !fresh) {
        error(at, *key, fmt::format("'{}' and '{}' exclude each other", other->second->name(), found->name()));
        continue;
      }
    }
    field(at, *value, into, *found);
  }
}

void ProtoReader::field(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field) {
  // null leaves a field unset, save where null is a value.
  const bool is_value = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                        field.message_type()->full_name() == "google.protobuf.Value";
  if (node.kind == Kind::null && !is_value) {
    return;
  }
  if (field.is_map()) {
    map(scope, node, into, field);
  } else if (field.is_repeated()) {
    list(scope, node, into, field);
  } else {
    value(scope, node, into, field);
  }
}

void ProtoReader::list(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field) {
  if (node.kind != Kind::sequence) {
    error(scope, node, fmt::format("expected a list, got {}", describe(node)));
    return;
  }
  for (const YamlNode* item : node.items) {
    if (exhausted_) {
      return;
    }
    const int index = into.GetReflection()->FieldSize(into, &field);
    value(scope.item(static_cast<std::size_t>(index)), *item, into, field);
    if (into.GetReflection()->FieldSize(into, &field) == index) {
      // What could not be read still counts, so that the places of those after it are right.
      add_default(into, field);
    }
  }
}

void ProtoReader::add_default(Message& into, const FieldDescriptor& field) {
  Slot slot(into, field);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return slot.set(false);
    case FieldDescriptor::CPPTYPE_INT32:
      return slot.set(std::int32_t{0});
    case FieldDescriptor::CPPTYPE_UINT32:
      return slot.set(std::uint32_t{0});
    case FieldDescriptor::CPPTYPE_INT64:
      return slot.set(std::int64_t{0});
    case FieldDescriptor::CPPTYPE_UINT64:
      return slot.set(std::uint64_t{0});
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return slot.set(0.0);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return slot.set(0.0F);
    case FieldDescriptor::CPPTYPE_STRING:
      return slot.set(std::string());
    case FieldDescriptor::CPPTYPE_ENUM:
      return slot.set_enum(0);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      slot.message();
  }
}

// All maps of the API have text as keys.
void ProtoReader::map(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field) {
  if (node.kind != Kind::mapping) {
    error(scope, node, fmt::format("expected a mapping, got {}", describe(node)));
    return;
  }
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const FieldDescriptor& value_field = *field.message_type()->map_value();
  for (const auto& [key, item] : node.map) {
    if (exhausted_) {
      return;
    }
    Message& entry = *into.GetReflection()->AddMessage(&into, &field);
    entry.GetReflection()->SetString(&entry, &key_field, key->text);
    value(scope.field(key->text), *item, entry, value_field);
  }
}

void ProtoReader::value(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field) {
  Slot slot(into, field);
  const auto expected = [&](std::string_view what) {
    error(scope, node, fmt::format("expected {}, got {}", what, describe(node)));
  };
  const auto whole = [&]<typename Narrow>(auto number, Narrow) {
    if (number && std::in_range<Narrow>(*number)) {
      slot.set(static_cast<Narrow>(*number));
    } else {
      expected(whole_number<Narrow>());
    }
  };
  const bool is_scalar = node.kind == Kind::scalar;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return message(scope, node, slot.message());
    case FieldDescriptor::CPPTYPE_INT32:
      return whole(as_int64(node), std::int32_t{});
    case FieldDescriptor::CPPTYPE_INT64:
      return whole(as_int64(node), std::int64_t{});
    case FieldDescriptor::CPPTYPE_UINT32:
      return whole(as_uint64(node), std::uint32_t{});
    case FieldDescriptor::CPPTYPE_UINT64:
      return whole(as_uint64(node), std::uint64_t{});
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (const auto number = as_double(node)) {
        return slot.set(*number);
      }
      return expected("a number");
    case FieldDescriptor::CPPTYPE_FLOAT:
      if (const auto number = as_double(node)) {
        return slot.set(static_cast<float>(*number));
      }
      return expected("a number");
    case FieldDescriptor::CPPTYPE_BOOL:
      if (const auto flag = as_bool(node)) {
        return slot.set(*flag);
      }
      return expected("true or false");
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) {
        if (auto bytes = as_bytes(node)) {
          return slot.set(std::move(*bytes));
        }
        return expected("base64");
      }
      if (!is_scalar) {
        return expected("text");
      }
      if (scalar_kind(node) != ScalarKind::string) {
        return expected(fmt::format("text (write it in quotes: \"{}\")", node.text));
      }
      return slot.set(node.text);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const pb::EnumDescriptor& type = *field.enum_type();
      const pb::EnumValueDescriptor* found = is_scalar ? type.FindValueByName(node.text) : nullptr;
      const auto number = as_int64(node);
      if (found == nullptr && number && !node.quoted && std::in_range<int>(*number)) {
        found = type.FindValueByNumber(static_cast<int>(*number));
      }
      if (found == nullptr) {
        return error(scope, node, unknown_enum_value(type, node));
      }
      return slot.set_enum(found->number());
    }
  }
}

bool ProtoReader::well_known(const Scope& scope, const YamlNode& node, Message& into) {
  const std::string& name = into.GetDescriptor()->full_name();
  if (!name.starts_with("google.protobuf.")) {
    return false;
  }
  if (name == "google.protobuf.Any") {
    any(scope, node, into);
  } else if (name == "google.protobuf.Duration") {
    duration(scope, node, into);
  } else if (name == "google.protobuf.Struct") {
    struct_fields(scope, node, into);
  } else if (name == "google.protobuf.Value") {
    struct_value(scope, node, into);
  } else if (name == "google.protobuf.ListValue") {
    struct_list(scope, node, into);
  } else if (name.ends_with("Value")) {  // the wrappers
    value(scope, node, into, *into.GetDescriptor()->FindFieldByName("value"));
  } else {
    return false;
  }
  return true;
}

void ProtoReader::any(const Scope& scope, const YamlNode& node, Message& into) {
  if (node.kind != Kind::mapping) {
    return error(scope, node, fmt::format("expected a mapping with '@type', got {}", describe(node)));
  }
  const YamlNode* type = node.find("@type");
  if (type == nullptr || type->kind != Kind::scalar) {
    return error(scope, node, "'@type' is missing: it names the message, type.googleapis.com/envoy...");
  }
  const std::string& url = type->text;
  const std::size_t slash = url.rfind('/');
  const std::string name = slash == std::string::npos ? std::string() : url.substr(slash + 1);
  const pb::Descriptor* found =
      name.empty() ? nullptr : pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  const pb::Message* prototype =
      found == nullptr ? nullptr : pb::MessageFactory::generated_factory()->GetPrototype(found);
  if (prototype == nullptr || name.starts_with("google.protobuf.")) {
    const std::string full = name.empty() ? url : name;
    return error(scope.field("@type"), *type, unknown_type(url, full));
  }
  const std::unique_ptr<pb::Message> content(prototype->New());
  fields(scope, node, *content, true);
  auto& any = static_cast<pb::Any&>(into);
  any.set_type_url("type.googleapis.com/" + name);
  any.set_value(serialize(*content));
}

void ProtoReader::duration(const Scope& scope, const YamlNode& node, Message& into) {
  const auto parts = as_duration(node);
  if (!parts) {
    return error(scope, node,
                 fmt::format("expected a duration in seconds such as 0.25s or 30s, got {}", describe(node)));
  }
  const pb::Descriptor& type = *into.GetDescriptor();
  into.GetReflection()->SetInt64(&into, type.FindFieldByName("seconds"), parts->seconds);
  into.GetReflection()->SetInt32(&into, type.FindFieldByName("nanos"), parts->nanos);
}

void ProtoReader::struct_fields(const Scope& scope, const YamlNode& node, Message& into) {
  map(scope, node, into, *into.GetDescriptor()->FindFieldByName("fields"));
}

void ProtoReader::struct_list(const Scope& scope, const YamlNode& node, Message& into) {
  list(scope, node, into, *into.GetDescriptor()->FindFieldByName("values"));
}

void ProtoReader::struct_value(const Scope& scope, const YamlNode& node, Message& into) {
  const pb::Descriptor& type = *into.GetDescriptor();
  const pb::Reflection& reflection = *into.GetReflection();
  const auto member = [&](const char* name) { return type.FindFieldByName(name); };
  const bool nests = node.kind == Kind::mapping || node.kind == Kind::sequence;
  if (nests && struct_depth_ == kMaxStructDepth) {
    return error(scope, node, fmt::format("values of a Struct are nested more than {} deep", kMaxStructDepth));
  }
  switch (node.kind) {
    case Kind::null:
      return reflection.SetEnumValue(&into, member("null_value"), 0);
    case Kind::mapping:
    case Kind::sequence:
      ++struct_depth_;
      if (node.kind == Kind::mapping) {
        struct_fields(scope, node, *reflection.MutableMessage(&into, member("struct_value")));
      } else {
        struct_list(scope, node, *reflection.MutableMessage(&into, member("list_value")));
      }
      --struct_depth_;
      return;
    case Kind::scalar:
      break;
  }
  switch (scalar_kind(node)) {
    case ScalarKind::boolean:
      return reflection.SetBool(&into, member("bool_value"), as_bool(node).value_or(false));
    case ScalarKind::number:
      return reflection.SetDouble(&into, member("number_value"), as_double(node).value_or(0));
    case ScalarKind::string:
      return reflection.SetString(&into, member("string_value"), node.text);
  }
}

}  // namespace remora::xds
