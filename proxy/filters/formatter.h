// Formatter: what a model::Format says about one exchange. Access logs print "-" for what is missing, headers print
// nothing, JSON keeps numbers as numbers and says null: all as Envoy does. Stateless; worker thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/arena.h"
#include "proxy/info/request_info.h"
#include "proxy/model/format.h"
#include "proxy/model/json_format.h"

namespace remora::proxy {

// Room for what an operator computes. Texts that the exchange holds already are not copied here.
using FormatScratch = std::array<char, 512>;

struct FormatValue {
  std::string_view text;  // in the exchange, the format or the scratch
  bool present = false;
  bool number = false;  // `text` is a JSON number
};

// One part of a format; `scratch` must live as long as the value.
FormatValue evaluate(const model::FormatPart& part, const RequestInfo& info, FormatScratch& scratch);

enum class Missing : std::uint8_t { dash, nothing };

// Appends; allocates only when `out` has to grow.
void append_format(std::string& out, const model::Format& format, const RequestInfo& info, Missing missing);

// For header values: missing is nothing. Literals are not copied, but name the format's own text, and a single
// operator's value is copied only if it was computed; so `format` and the exchange's heads must outlive the result.
std::string_view format_header(const model::Format& format, const RequestInfo& info, Arena& arena);

// Appends `format` as a JSON value: one operator alone gives a number, a string or null, anything else a string.
// Returns false, and appends nothing, when the value is null and `omit_null`.
bool append_json_format(std::string& out, const model::Format& format, const RequestInfo& info, bool omit_null);
// Appends a whole object, with all that is in it.
void append_json_object(std::string& out, const model::JsonFormat::Object& fields, const RequestInfo& info,
                        bool omit_null);
void append_json_string(std::string& out, std::string_view text);  // with its quotes
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace remora::proxy
