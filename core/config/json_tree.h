// JSON as the nodes that YamlTree has, by a JSON parser: JSON's escapes (YAML's are others), tabs, long keys, and large
// answers at speed. Strings are quoted scalars. Pure functions; any thread. Source: RFC 8259.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/config/yaml_tree.h"

namespace remora::config {

// Syntax errors and repeated keys go to `errors`; the tree then holds what could be read. Lines and columns are those
// where a value begins; with `places` off, they are 0: an answer that nobody can open has no lines to name.
enum class JsonPlaces : unsigned char { lines, none };
std::unique_ptr<YamlTree> parse_json(std::string_view text, const std::string& file, ConfigErrors& errors,
                                     JsonPlaces places = JsonPlaces::lines);

// For files whose language their name does not tell: JSON where it is JSON, at a fifth of the time; else YAML.
std::unique_ptr<YamlTree> parse_text(std::string_view text, const std::string& file, ConfigErrors& errors);

}  // namespace remora::config
