// flatten: a message as paths and values, so that two versions can be compared line by line. Elements of lists go by
// what names them (a route's name, an endpoint's address), so that one more in front changes nothing behind it; their
// order is a line of its own. What stands in an Any is opened. A pure function; any thread.
#pragma once

#include <map>
#include <string>

namespace google::protobuf {
class Message;
}

namespace remora::explain {

using Lines = std::map<std::string, std::string>;

Lines flatten(const google::protobuf::Message& message);

}  // namespace remora::explain
