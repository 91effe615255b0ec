// Call halves: one gRPC stream on its HTTP/2 connection, as a client or as a server has it. Owned by its Link until
// HTTP/2 has closed the stream; the user's Stream is only a handle on it, so either may end first. The loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/event/loop.h"
#include "core/grpc/deframer.h"
#include "core/grpc/stream.h"
#include "core/http/http2_session.h"

namespace remora::grpc {

class Link;
class Handle;

class CallHalf {
 public:
  CallHalf(Link& link, http::Http2StreamId id, std::size_t max_message_bytes);
  CallHalf(const CallHalf&) = delete;
  CallHalf& operator=(const CallHalf&) = delete;
  virtual ~CallHalf();

  http::Http2StreamId id() const { return id_; }
  std::unique_ptr<Stream> make_handle();

  // From HTTP/2, by way of the link.
  virtual void on_headers(http::Http2Headers headers, bool end) = 0;
  void on_data(std::string_view data);
  virtual void on_end() = 0;
  virtual void on_end_sent() = 0;
  void on_http2_closed(std::uint32_t error);  // the link forgets it after this
  http::Http2Pull pull(std::span<char> into);
  // The connection is gone, or is given up; `silence`: its owner is gone, so the user hears nothing more.
  void on_link_lost(const Status& status) {
    http2_closed_ = true;
    close(status);
  }
  void silence() {
    http2_closed_ = true;
    events_ = nullptr;
    deadline_.cancel();
  }

 protected:
  friend class Handle;
  static constexpr std::size_t kHighMark = 64 * 1024;
  static constexpr std::size_t kLowMark = 16 * 1024;

  // The user's word.
  void send(std::string_view message);
  virtual void finish(const Status& status) = 0;
  virtual void on_released() = 0;
  std::size_t queued_bytes() const { return out_.size() - out_begin_; }

  virtual http::Http2Pull::Then at_queue_end() = 0;
  virtual void on_bad_message(const Status& status) = 0;
  virtual Status status_of_reset(std::uint32_t error) const;

  void close(const Status& status);  // tells the user, once
  void reset(http::Http2Error error);
  void start_deadline(Nanoseconds timeout);
  virtual void on_deadline() = 0;
  void wake();  // there is something to pull
  void free_sent();

  Link& link_;
  const http::Http2StreamId id_;
  StreamEvents* events_ = nullptr;
  Handle* handle_ = nullptr;
  Deframer in_;
  std::string out_;
  std::size_t out_begin_ = 0;  // of what was not pulled yet
  bool above_mark_ = false;
  bool wrote_all_ = false;  // no more `send`
  bool http2_closed_ = false;
  Timer deadline_;
};

// What the user holds.
class Handle final : public Stream {
 public:
  explicit Handle(CallHalf& half) : half_(&half) {}
  ~Handle() override;
  void send(std::string_view message) override;
  void finish(const Status& status) override;
  std::size_t queued_bytes() const override;

 private:
  friend class CallHalf;
  CallHalf* half_;
};

class ClientHalf final : public CallHalf {
 public:
  ClientHalf(Link& link, http::Http2StreamId id, std::size_t max_message_bytes, StreamEvents& events,
             std::optional<Nanoseconds> timeout);

  void on_headers(http::Http2Headers headers, bool end) override;
  void on_end() override;
  void on_end_sent() override {}

 private:
  void finish(const Status& status) override;
  void on_released() override;
  http::Http2Pull::Then at_queue_end() override;
  void on_bad_message(const Status& status) override;
  void on_deadline() override;
  Status status_of_reset(std::uint32_t error) const override;
  void read_response(http::Http2Headers headers);
  void end(const Status& status);

  bool responded_ = false;
  bool done_ = false;               // the server's side has ended
  std::optional<Status> refused_;   // the response is no gRPC
  std::optional<Status> trailers_;  // grpc-status has come
};

struct Call;

class ServerHalf final : public CallHalf {
 public:
  // Reads a request; calls the handler that `find` knows for its path.
  using Accept = std::function<StreamEvents*(const Call&, std::unique_ptr<Stream>)>;
  using Find = std::function<const Accept*(std::string_view path)>;
  ServerHalf(Link& link, http::Http2StreamId id, std::size_t max_message_bytes, const Find& find);

  void on_headers(http::Http2Headers headers, bool end) override;
  void on_end() override;
  void on_end_sent() override;

 private:
  void finish(const Status& status) override;
  void on_released() override;
  http::Http2Pull::Then at_queue_end() override;
  void on_bad_message(const Status& status) override;
  void on_deadline() override;
  void end_by_us(const Status& status);
  void refuse_http(std::string_view http_status, std::string_view words);
  void respond();
  void send_trailers(const Status& status, bool alone);

  const Find& find_;
  bool in_handler_ = false;
  bool accepted_ = false;  // the response's headers have left
  bool peer_ended_ = false;
  bool over_ = false;  // the status is on its way
  std::optional<Status> status_;
};

}  // namespace remora::grpc
