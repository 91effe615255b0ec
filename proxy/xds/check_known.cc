#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <memory>
#include <vector>

#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

constexpr int kMaxDepth = 100;

// The message that an Any holds; null when its type is not ours: whoever reads it says what it expected.
std::unique_ptr<pb::Message> content_of(const pb::Any& any) {
  const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(any_type_name(any));
  const pb::Message* prototype =
      type == nullptr ? nullptr : pb::MessageFactory::generated_factory()->GetPrototype(type);
  if (prototype == nullptr) {
    return nullptr;
  }
  std::unique_ptr<pb::Message> content(prototype->New());
  return content->ParseFromString(any.value()) ? std::move(content) : nullptr;
}

class Walk {
 public:
  void message(const Scope& scope, const pb::Message& message) {
    if (++depth_ > kMaxDepth) {
      scope.error("is nested too deep");
      --depth_;
      return;
    }
    if (const auto* any = dynamic_cast<const pb::Any*>(&message)) {
      if (const auto content = content_of(*any)) {
        this->message(scope, *content);
      }
      --depth_;
      return;
    }
    const pb::Reflection& reflection = *message.GetReflection();
    unknown(scope, message, reflection.GetUnknownFields(message));
    std::vector<const pb::FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    for (const pb::FieldDescriptor* field : fields) {
      const Scope at = scope.field(field->name());
      if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
        messages(at, message, *field);
      } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM) {
        enums(at, message, *field);
      }
    }
    --depth_;
  }

 private:
  static void unknown(const Scope& scope, const pb::Message& message, const pb::UnknownFieldSet& fields) {
    for (int i = 0; i < fields.field_count(); ++i) {
      scope.error(fmt::format("field number {} of {} is not supported by this version of Remora",
                              fields.field(i).number(), message.GetDescriptor()->full_name()));
    }
  }

  void messages(const Scope& scope, const pb::Message& parent, const pb::FieldDescriptor& field) {
    const pb::Reflection& reflection = *parent.GetReflection();
    if (!field.is_repeated()) {
      return message(scope, reflection.GetMessage(parent, &field));
    }
    for (int i = 0; i < reflection.FieldSize(parent, &field); ++i) {
      const pb::Message& item = reflection.GetRepeatedMessage(parent, &field, i);
      if (field.is_map()) {
        const std::string key =
            item.GetReflection()->GetString(item, item.GetDescriptor()->FindFieldByNumber(1));  // all our keys are text
        const pb::FieldDescriptor* value = item.GetDescriptor()->FindFieldByNumber(2);
        if (value->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
          message(scope.field(key), item.GetReflection()->GetMessage(item, value));
        }
      } else {
        message(scope.item(static_cast<std::size_t>(i)), item);
      }
    }
  }

  static void enums(const Scope& scope, const pb::Message& parent, const pb::FieldDescriptor& field) {
    const pb::Reflection& reflection = *parent.GetReflection();
    const auto check = [&](const Scope& at, int number) {
      if (field.enum_type()->FindValueByNumber(number) == nullptr) {
        at.error(fmt::format("value {} of {} is not supported by this version of Remora", number,
                             field.enum_type()->full_name()));
      }
    };
    if (!field.is_repeated()) {
      return check(scope, reflection.GetEnumValue(parent, &field));
    }
    for (int i = 0; i < reflection.FieldSize(parent, &field); ++i) {
      check(scope.item(static_cast<std::size_t>(i)), reflection.GetRepeatedEnumValue(parent, &field, i));
    }
  }

  int depth_ = 0;
};

}  // namespace

void check_all_known(const Scope& scope, const pb::Message& message) { Walk().message(scope, message); }

}  // namespace remora::xds
