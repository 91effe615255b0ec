// to_json: a protobuf message as canonical proto JSON, for pages. Pure; main thread.
#pragma once

#include <string>

namespace google::protobuf {
class Any;
}

namespace remora::xds {

// The message in it, an object without '@type'; empty when it cannot be printed.
std::string to_json(const google::protobuf::Any& any);

}  // namespace remora::xds
