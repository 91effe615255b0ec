// A gRPC stream as its user sees it, client or server: whole messages both ways. What carries it (HTTP/2 over TCP, or a
// test's pair in memory) implements Stream; who uses it implements StreamEvents. The loop's thread.
// Source: gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace remora::grpc {

// google.rpc.Code
enum class Code : std::uint8_t {
  ok = 0,
  cancelled,
  unknown,
  invalid_argument,
  deadline_exceeded,
  not_found,
  already_exists,
  permission_denied,
  resource_exhausted,
  failed_precondition,
  aborted,
  out_of_range,
  unimplemented,
  internal,
  unavailable,
  data_loss,
  unauthenticated,
};

struct Status {
  Code code = Code::ok;
  std::string message;
  bool ok() const { return code == Code::ok; }
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

class StreamEvents {
 public:
  // One whole message; `message` is valid during the call.
  virtual void on_message(std::string_view message) = 0;
  // The peer sends no more messages (server: the client half-closed). Not called after on_closed.
  virtual void on_half_closed() {}
  // What was queued has left, after `queued_bytes` had been above the high mark.
  virtual void on_writable() {}
  // The stream is over; the last call. A client hears the server's status, or unavailable with the cause when the
  // connection failed or never came to be.
  virtual void on_closed(const Status& status) = 0;

 protected:
  ~StreamEvents() = default;
};

// Ends, silently, when it is destroyed: a client's is cancelled (RST_STREAM), a server's too when `finish` was not
// called. May be destroyed inside its own callbacks. No callback comes from inside a call of these methods.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void send(std::string_view message) = 0;
  // Client: half-closes, `status` is ignored. Server: sends trailers with the status; no more calls but the destructor.
  virtual void finish(const Status& status) = 0;
  virtual std::size_t queued_bytes() const = 0;
};

}  // namespace remora::grpc
