// XdsClient: keeps one discovery stream open to a control plane, at the next address when one dies, with back-off and
// jitter; what was accepted survives any failure. Speaks what its XdsProtocol says. Owned by DynamicConfig; main
// thread. Source: Envoy's GrpcStream (JitteredExponentialBackOffStrategy, 500 ms to 30 s, reset by a message).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/event/loop.h"
#include "core/grpc/stream.h"
#include "proxy/sources/xds_protocol.h"

namespace remora::sources {

// Who serves resources: one of several addresses at a time.
class ControlPlane {
 public:
  virtual ~ControlPlane() = default;
  // A stream to the present address; null, with the reason in `why`, when there is none.
  virtual std::unique_ptr<grpc::Stream> open(std::string_view path, const grpc::Metadata& metadata,
                                             grpc::StreamEvents& events, std::string& why) = 0;
  // Its addresses are being looked for, for the first time: no failure, and nothing to open yet.
  virtual bool waiting() const { return false; }
  // The present address failed: the next one's turn. May be called in a stream's on_closed.
  virtual void next() = 0;
  virtual bool connected() const = 0;
  virtual std::string address() const = 0;  // the present one; empty: none is known
};

enum class LogLevel : std::uint8_t { debug, info, warn };
using Log = std::function<void(LogLevel, std::string)>;

// What whoever brings resources reports.
struct FeedEvents {
  // `unread`: resources that are in the update by name only, and why.
  std::function<std::vector<Rejection>(const ResourceUpdate&, const std::vector<Rejection>& unread)> apply;
  Log log;
  std::function<void()> failed;  // whom we ask did not answer, or hung up
};

struct XdsClientFacts {
  std::string address;
  bool connected = false;
  std::uint64_t streams = 0;   // opened, since the start
  std::uint64_t failures = 0;  // closed or refused
  std::uint64_t acks = 0;
  std::uint64_t nacks = 0;
  std::string last_error;
};

class XdsClient final : grpc::StreamEvents {
 public:
  static constexpr Milliseconds kBaseInterval{500};
  static constexpr Milliseconds kMaxInterval{30'000};

  struct Options {
    std::string path;  // "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
    grpc::Metadata metadata;
  };
  // What is passed by reference outlives it.
  XdsClient(Loop& loop, Random& random, std::unique_ptr<ControlPlane> control, std::unique_ptr<XdsProtocol> protocol,
            Options options, FeedEvents events);
  XdsClient(const XdsClient&) = delete;
  XdsClient& operator=(const XdsClient&) = delete;
  ~XdsClient() = default;

  // Changes what is wanted, then flushes at the turn's end.
  XdsProtocol& protocol() {
    loop_.at_turn_end(flush_task_);
    return *protocol_;
  }
  XdsClientFacts facts() const;

 private:
  void on_message(std::string_view message) override;
  void on_closed(const grpc::Status& status) override;

  void open();
  void flush();
  void fail(const std::string& words);

  Loop& loop_;
  Random& random_;
  const std::unique_ptr<ControlPlane> control_;
  const std::unique_ptr<XdsProtocol> protocol_;
  const Options options_;
  const FeedEvents events_;

  std::unique_ptr<grpc::Stream> stream_;
  Nanoseconds interval_ = kBaseInterval;
  XdsClientFacts facts_;
  std::string said_;         // the last failure that was logged
  MonotonicTime said_at_{};  // and when
  bool heard_ = false;       // a message came on this stream
  Timer retry_timer_;
  Task flush_task_;
};

}  // namespace remora::sources
