// JSON for admin pages: a writer that lays text out as Envoy does (one space a level), and a few look-ups in JSON that
// is already text (the bootstrap, as proxy/xds printed it), so that /config_dump needs no tree. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace remora::admin {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view value);
  JsonWriter& number(std::int64_t value);
  JsonWriter& boolean(bool value);
  // A whole JSON value as text, laid out anew. REQUIRES: it is valid JSON.
  JsonWriter& raw(std::string_view json);
  // The members of a JSON object as text, without its braces, into the object that is open.
  JsonWriter& raw_members(std::string_view object);

  // With the newline that pages end in.
  std::string take();

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void before_value();
  void line();

  std::string out_;
  unsigned depth_ = 0;
  bool first_ = true;  // of the innermost container
  bool after_key_ = false;
};

// With its quotes.
std::string json_quote(std::string_view text);

// The value of a member, as text; empty when there is none, or `object` is no object.
std::string_view json_member(std::string_view object, std::string_view key);
// All members of an object, in their order: names as they are between their quotes, values as text.
std::vector<std::pair<std::string_view, std::string_view>> json_members(std::string_view object);
// The values of an array, as text; none when it is no array.
std::vector<std::string_view> json_elements(std::string_view array);
// A string value's content, when it holds no escapes: names and types. Otherwise as written.
std::string_view json_text(std::string_view string);

}  // namespace remora::admin
