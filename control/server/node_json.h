// Nodes as the wire has them, into values. Pure functions.
#pragma once

#include <string>

#include "control/server/node.h"

namespace envoy::config::core::v3 {
class Node;
}  // namespace envoy::config::core::v3
namespace google::protobuf {
class Struct;
}  // namespace google::protobuf

namespace remora::control {

Node node_of(const envoy::config::core::v3::Node& message);

// Keys sorted, no spaces: equal structs give equal text.
std::string json_of(const google::protobuf::Struct& message);

}  // namespace remora::control
