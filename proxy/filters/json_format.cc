#include <cstdint>
#include <utility>

#include "proxy/filters/formatter.h"

namespace remora::proxy {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

// The length of the well-formed UTF-8 sequence that starts at `at`, 0 when there is none (Unicode table 3-7).
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[at + i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return at + i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first >= 0xc2 && first <= 0xdf) {
    return follows(1) ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void append_control(std::string& out, unsigned char c) {
  switch (c) {
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    case '\b':
      out.append("\\b");
      return;
    case '\f':
      out.append("\\f");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  std::size_t plain = 0;  // where what needs no escape began
  std::size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      if (const std::size_t length = utf8_length(text, i); length > 0) {
        i += length;
        continue;
      }
    }
    out.append(text.substr(plain, i - plain));
    if (c >= 0x80) {
      out.append("\\ufffd");  // a header may hold any byte, JSON may not
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else {
      append_control(out, c);
    }
    plain = ++i;
  }
  out.append(text.substr(plain));
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  append_json_escaped(out, text);
  out.push_back('"');
}

namespace {

// False: `omit_null` holds and the value is null, or an object in which nothing is left. The caller takes back what was
// appended.
bool append_json_value(std::string& out, const model::JsonFormat& format, const RequestInfo& info, bool omit_null);

// `append(each)` of all, separated by commas; those that append nothing leave no trace. How many did?
template <typename List, typename Append>
std::size_t append_separated(std::string& out, const List& list, Append append) {
  std::size_t count = 0;
  for (const auto& each : list) {
    const std::size_t before = out.size();
    if (count > 0) {
      out.push_back(',');
    }
    if (append(each)) {
      ++count;
    } else {
      out.resize(before);
    }
  }
  return count;
}

bool append_members(std::string& out, const model::JsonFormat::Object& fields, const RequestInfo& info,
                    bool omit_null) {
  out.push_back('{');
  const std::size_t count = append_separated(out, fields, [&](const auto& field) {
    append_json_string(out, field.first);
    out.push_back(':');
    return append_json_value(out, field.second, info, omit_null);
  });
  out.push_back('}');
  return count > 0;
}

bool append_json_value(std::string& out, const model::JsonFormat& format, const RequestInfo& info, bool omit_null) {
  if (const auto* text = std::get_if<model::Format>(&format.value)) {
    return append_json_format(out, *text, info, omit_null);
  }
  if (const auto* fixed = std::get_if<model::JsonFormat::Fixed>(&format.value)) {
    out.append(fixed->json);
    return !omit_null || fixed->json != "null";
  }
  if (const auto* object = std::get_if<model::JsonFormat::Object>(&format.value)) {
    return append_members(out, *object, info, omit_null) || !omit_null;
  }
  out.push_back('[');
  append_separated(out, std::get<model::JsonFormat::List>(format.value),
                   [&](const model::JsonFormat& item) { return append_json_value(out, item, info, omit_null); });
  out.push_back(']');
  return true;
}

}  // namespace

void append_json_object(std::string& out, const model::JsonFormat::Object& fields, const RequestInfo& info,
                        bool omit_null) {
  append_members(out, fields, info, omit_null);
}

bool append_json_format(std::string& out, const model::Format& format, const RequestInfo& info, bool omit_null) {
  FormatScratch scratch;
  const auto& parts = format.parts();
  if (parts.size() == 1) {
    const FormatValue value = evaluate(parts[0], info, scratch);
    if (!value.present) {
      if (!omit_null) {
        out.append("null");
      }
      return !omit_null;
    }
    if (value.number) {
      out.append(value.text);
    } else {
      append_json_string(out, value.text);
    }
    return true;
  }
  out.push_back('"');
  for (const model::FormatPart& part : parts) {
    const FormatValue value = evaluate(part, info, scratch);
    append_json_escaped(out, value.present || omit_null ? value.text : "-");
  }
  out.push_back('"');
  return true;
}

}  // namespace remora::proxy
