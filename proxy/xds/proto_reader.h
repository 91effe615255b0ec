// ProtoReader: a YAML tree into a protobuf message, by reflection and proto JSON's rules, reporting everything that
// does not fit: unknown fields and values with the nearest known name, wrong types, ranges. Reading a second tree into
// the same message merges it as protobuf does: lists grow, messages merge, values are replaced. Main thread.
#pragma once

#include <cstddef>
#include <string>

#include "core/config/scope.h"

namespace google::protobuf {
class EnumDescriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace remora::xds {

using config::Context;
using config::Scope;
using config::YamlNode;
using config::YamlTree;

// The wire form, maps sorted by key.
std::string serialize(const google::protobuf::Message& message);

class ProtoReader {
 public:
  // `tree` is one of the context's sources.
  explicit ProtoReader(const YamlTree& tree);

  void read(const Scope& scope, google::protobuf::Message& message);

 private:
  using Message = google::protobuf::Message;
  using FieldDescriptor = google::protobuf::FieldDescriptor;

  void message(const Scope& scope, const YamlNode& node, Message& into);
  void fields(const Scope& scope, const YamlNode& node, Message& into, bool any);
  void field(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field);
  void list(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field);
  void map(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field);
  static void add_default(Message& into, const FieldDescriptor& field);
  void value(const Scope& scope, const YamlNode& node, Message& into, const FieldDescriptor& field);

  // Well-known types; false when `into` is none.
  bool well_known(const Scope& scope, const YamlNode& node, Message& into);
  void any(const Scope& scope, const YamlNode& node, Message& into);
  void duration(const Scope& scope, const YamlNode& node, Message& into);
  void struct_fields(const Scope& scope, const YamlNode& node, Message& into);
  void struct_value(const Scope& scope, const YamlNode& node, Message& into);
  void struct_list(const Scope& scope, const YamlNode& node, Message& into);

  void error(const Scope& scope, const YamlNode& node, std::string message) const;
  // False, once reported, when aliases have expanded the tree beyond reason.
  bool within_budget(const Scope& scope, const YamlNode& node);

  const YamlTree& tree_;
  std::size_t visits_left_;
  bool exhausted_ = false;
  int struct_depth_ = 0;
};

}  // namespace remora::xds
