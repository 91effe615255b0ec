#include "core/admin/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace remora::admin {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) {
    ++at;
  }
  return std::min(at, text.size());
}

// The end of the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

// The end of the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
      continue;
    } else if (c == '}' || c == ']') {
      if (depth == 0) {
        return at;
      }
      --depth;
      ++at;
    } else if (depth == 0) {
      while (at < text.size() && text[at] != ',' && text[at] != '}' && text[at] != ']' && !is_space(text[at])) {
        ++at;
      }
    } else {
      ++at;
      continue;
    }
    if (depth == 0) {
      return at;
    }
  }
  return at;
}

}  // namespace

JsonWriter& JsonWriter::key(std::string_view name) {
  before_value();
  out_ += json_quote(name);
  out_ += ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view value) {
  before_value();
  out_ += json_quote(value);
  return *this;
}

JsonWriter& JsonWriter::number(std::int64_t value) {
  before_value();
  out_ += fmt::format_int(value).c_str();
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  before_value();
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  const std::size_t at = skip_space(json, 0);
  if (at == json.size()) {
    return *this;
  }
  if (json[at] == '{') {
    begin_object().raw_members(json).end_object();
  } else if (json[at] == '[') {
    begin_array();
    for (std::string_view element : json_elements(json)) {
      raw(element);
    }
    end_array();
  } else {
    before_value();
    out_ += json.substr(at, skip_value(json, at) - at);
  }
  return *this;
}

JsonWriter& JsonWriter::raw_members(std::string_view object) {
  for (const auto& [name, value] : json_members(object)) {
    before_value();
    out_ += '"';
    out_ += name;
    out_ += "\": ";
    after_key_ = true;
    raw(value);
  }
  return *this;
}

std::string JsonWriter::take() {
  out_ += '\n';
  return std::move(out_);
}

JsonWriter& JsonWriter::open(char bracket) {
  before_value();
  out_ += bracket;
  ++depth_;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  --depth_;
  if (!first_) {
    line();
  }
  out_ += bracket;
  first_ = false;
  return *this;
}

void JsonWriter::before_value() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (depth_ == 0) {
    return;
  }
  if (!first_) {
    out_ += ',';
  }
  first_ = false;
  line();
}

void JsonWriter::line() {
  out_ += '\n';
  out_.append(depth_, ' ');
}

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out += '"';
}

std::vector<std::pair<std::string_view, std::string_view>> json_members(std::string_view object) {
  std::vector<std::pair<std::string_view, std::string_view>> out;
  std::size_t at = skip_space(object, 0);
  if (at >= object.size() || object[at] != '{') {
    return out;
  }
  ++at;
  while ((at = skip_space(object, at)) < object.size() && object[at] == '"') {
    const std::size_t name_end = skip_string(object, at);
    const std::string_view name = object.substr(at + 1, name_end - at - 2);
    const std::size_t value = skip_space(object, skip_space(object, name_end) + 1);
    const std::size_t value_end = skip_value(object, value);
    out.emplace_back(name, object.substr(value, value_end - value));
    at = skip_space(object, value_end);
    at += at < object.size() && object[at] == ',' ? 1 : 0;
  }
  return out;
}

std::string_view json_member(std::string_view object, std::string_view key) {
  for (const auto& [name, value] : json_members(object)) {
    if (name == key) {
      return value;
    }
  }
  return {};
}

std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> out;
  std::size_t at = skip_space(array, 0);
  if (at >= array.size() || array[at] != '[') {
    return out;
  }
  ++at;
  while ((at = skip_space(array, at)) < array.size() && array[at] != ']') {
    const std::size_t end = skip_value(array, at);
    out.push_back(array.substr(at, end - at));
    at = skip_space(array, end);
    at += at < array.size() && array[at] == ',' ? 1 : 0;
  }
  return out;
}

std::string_view json_text(std::string_view string) {
  return string.size() >= 2 && string.front() == '"' ? string.substr(1, string.size() - 2) : string;
}

}  // namespace remora::admin
