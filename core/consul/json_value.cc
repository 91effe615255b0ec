#include "core/consul/json_value.h"

#include <fmt/core.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <limits>

namespace remora::consul {
namespace {

using Kind = JsonValue::Kind;

// Turns rapidjson's events into values. A handler that returns false stops the parser.
class Builder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
 public:
  explicit Builder(const JsonItem& on_item) : on_item_(on_item) {}

  JsonValue take_root() { return std::move(root_); }

  // NOLINTBEGIN(readability-identifier-naming): rapidjson's names
  bool Null() { return put({}); }
  bool Bool(bool value) {
    JsonValue out{.kind = Kind::boolean};
    out.boolean = value;
    return put(std::move(out));
  }
  bool Int(int value) { return integer(value); }
  bool Uint(unsigned value) { return integer(value); }
  bool Int64(std::int64_t value) { return integer(value); }
  bool Uint64(std::uint64_t value) {
    return value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
               ? Double(0)
               : integer(static_cast<std::int64_t>(value));
  }
  bool Double(double) { return put({.kind = Kind::number}); }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    JsonValue out{.kind = Kind::text};
    out.text.assign(text, length);
    return put(std::move(out));
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    stack_.back().key.assign(text, length);
    return true;
  }
  bool StartObject() { return enter(Kind::object); }
  bool StartArray() { return enter(Kind::list); }
  bool EndObject(rapidjson::SizeType) { return leave(); }
  bool EndArray(rapidjson::SizeType) { return leave(); }

  // NOLINTEND(readability-identifier-naming)

 private:
  struct Open {
    JsonValue value;
    std::string key;  // of the member that comes next
  };

  bool integer(std::int64_t value) { return put({.kind = Kind::integer, .integer = value}); }

  bool enter(Kind kind) {
    if (stack_.size() == JsonValue::kMaxDepth) {
      return false;
    }
    stack_.emplace_back().value.kind = kind;
    return true;
  }

  bool leave() {
    JsonValue value = std::move(stack_.back().value);
    stack_.pop_back();
    return put(std::move(value));
  }

  bool put(JsonValue value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (Open& open = stack_.back(); open.value.kind == Kind::object) {
      open.value.members.emplace_back(std::move(open.key), std::move(value));
    } else if (stack_.size() == 1 && on_item_) {
      on_item_(count_++, value);
    } else {
      open.value.items.push_back(std::move(value));
    }
    return true;
  }

  const JsonItem& on_item_;
  std::vector<Open> stack_;
  std::size_t count_ = 0;
  JsonValue root_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) {
      return &value;
    }
  }
  return nullptr;
}

Result<JsonValue> parse_json(std::string_view text, const JsonItem& on_item) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  Builder builder(on_item);
  // Iterative: no depth of nesting can end our stack.
  const rapidjson::ParseResult parsed =
      reader.Parse < rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag > (stream, builder);
  if (parsed.IsError()) {
    const std::string why = parsed.Code() == rapidjson::kParseErrorTermination
                                ? fmt::format("nested deeper than {} levels", JsonValue::kMaxDepth)
                                : rapidjson::GetParseError_En(parsed.Code());
    return fail(fmt::format("the answer is not JSON: {} at byte {}", why, parsed.Offset()));
  }
  return builder.take_root();
}

}  // namespace remora::consul
