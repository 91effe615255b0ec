#include "core/http/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

namespace remora::http {
namespace {

constexpr std::uint32_t kFieldOverhead = 32;  // RFC 9113 section 6.5.2
constexpr std::uint32_t kDefaultWindow = 65'535;

std::string_view view(nghttp2_rcbuf* buffer) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

std::vector<nghttp2_nv> to_nv(Http2Headers headers) {
  std::vector<nghttp2_nv> nvs;
  nvs.reserve(headers.size());
  for (const Http2Header& header : headers) {
    nvs.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(header.name.data())),
                   reinterpret_cast<std::uint8_t*>(const_cast<char*>(header.value.data())), header.name.size(),
                   header.value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return nvs;
}

void check_memory(int result) {
  if (result == NGHTTP2_ERR_NOMEM) {
    throw std::bad_alloc();
  }
}

}  // namespace

std::string http2_error_name(std::uint32_t code) {
  if (code <= NGHTTP2_HTTP_1_1_REQUIRED) {
    return nghttp2_http2_strerror(code);
  }
  return "error " + std::to_string(code);
}

struct Http2Session::Callbacks {
  static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& me = self(user);
    me.drop_fields();
    const bool opens =
        me.options_.server && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    me.open_ += opens ? 1 : 0;
    return 0;
  }

  static int header(nghttp2_session* session, const nghttp2_frame* frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                    std::uint8_t, void* user) {
    Http2Session& me = self(user);
    me.fields_bytes_ += view(name).size() + view(value).size() + kFieldOverhead;
    if (me.fields_bytes_ > me.options_.max_header_bytes) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_ENHANCE_YOUR_CALM);
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    me.fields_.push_back({name, value});
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& me = self(user);
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        me.deliver_headers(frame->hd.stream_id, end);
        break;
      case NGHTTP2_DATA:
        if (end) {
          me.events_.on_end(frame->hd.stream_id);
        }
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
          me.events_.on_settings();
        }
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
          me.events_.on_ping_answer();
        }
        break;
      case NGHTTP2_GOAWAY:
        me.events_.on_goaway(frame->goaway.last_stream_id, frame->goaway.error_code,
                             {reinterpret_cast<const char*>(frame->goaway.opaque_data), frame->goaway.opaque_data_len});
        break;
      default:
        break;
    }
    return 0;
  }

  static int data_chunk(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* data, std::size_t size,
                        void* user) {
    self(user).events_.on_data(stream, {reinterpret_cast<const char*>(data), size});
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user) {
    Http2Session& me = self(user);
    me.open_ -= me.open_ > 0 ? 1 : 0;
    me.events_.on_stream_closed(stream, error);
    return 0;
  }

  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      self(user).events_.on_end_sent(frame->hd.stream_id);
    }
    return 0;
  }

  // A request that never left: the peer went away before, or its headers are too large.
  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    Http2Session& me = self(user);
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
        nghttp2_session_find_stream(me.session_, frame->hd.stream_id) == nullptr) {
      me.open_ -= me.open_ > 0 ? 1 : 0;
      me.events_.on_stream_closed(frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    }
    return 0;
  }

  static int error_text(nghttp2_session*, int, const char* text, std::size_t size, void* user) {
    self(user).detail_.assign(text, size);
    return 0;
  }

  static ssize_t read_data(nghttp2_session*, std::int32_t stream, std::uint8_t* into, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    const Http2Pull pulled = self(user).events_.pull(stream, {reinterpret_cast<char*>(into), size});
    switch (pulled.then) {
      case Http2Pull::Then::wait:
        if (pulled.bytes == 0) {
          return NGHTTP2_ERR_DEFERRED;
        }
        break;  // it is asked once more, and defers then
      case Http2Pull::Then::end:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        break;
      case Http2Pull::Then::trailers:
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        break;
      case Http2Pull::Then::more:
        break;
    }
    return static_cast<ssize_t>(pulled.bytes);
  }

  static nghttp2_data_provider provider() {
    nghttp2_data_provider provider{};
    provider.read_callback = read_data;
    return provider;
  }

  static const nghttp2_session_callbacks* table() {
    static const auto made = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      check_memory(nghttp2_session_callbacks_new(&callbacks));
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback2(callbacks, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_chunk);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
      nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, frame_not_sent);
      nghttp2_session_callbacks_set_error_callback2(callbacks, error_text);
      return std::unique_ptr<nghttp2_session_callbacks, void (*)(nghttp2_session_callbacks*)>(
          callbacks, nghttp2_session_callbacks_del);
    }();
    return made.get();
  }
};

Http2Session::Http2Session(const Http2Options& options, Http2Events& events) : options_(options), events_(events) {
  nghttp2_option* raw = nullptr;
  check_memory(nghttp2_option_new(&raw));
  const std::unique_ptr<nghttp2_option, void (*)(nghttp2_option*)> option(raw, nghttp2_option_del);
  nghttp2_option_set_no_auto_window_update(raw, 1);
  nghttp2_option_set_no_closed_streams(raw, 1);
  nghttp2_option_set_max_outbound_ack(raw, options.max_unsent_acks);
  nghttp2_option_set_max_settings(raw, options.max_settings_entries);
  nghttp2_option_set_stream_reset_rate_limit(raw, options.reset_burst, options.resets_a_second);
  nghttp2_option_set_max_deflate_dynamic_table_size(raw, options.header_table_bytes);
  const auto make = options.server ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  check_memory(make(&session_, Callbacks::table(), this, raw));

  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options.max_header_bytes},
      {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options.header_table_bytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  if (options.server) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.max_streams});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  check_memory(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()));
  if (options.connection_window > kDefaultWindow) {
    check_memory(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                                       static_cast<std::int32_t>(options.connection_window)));
  }
}

Http2Session::~Http2Session() {
  drop_fields();
  nghttp2_session_del(session_);
}

void Http2Session::drop_fields() {
  for (const Field& field : fields_) {
    nghttp2_rcbuf_decref(field.name);
    nghttp2_rcbuf_decref(field.value);
  }
  fields_.clear();
  fields_bytes_ = 0;
}

void Http2Session::deliver_headers(Http2StreamId stream, bool end) {
  std::vector<Http2Header> headers;
  headers.reserve(fields_.size());
  for (const Field& field : fields_) {
    headers.push_back({view(field.name), view(field.value)});
  }
  events_.on_headers(stream, headers, end);
  drop_fields();
  if (end) {
    events_.on_end(stream);
  }
}

void Http2Session::fail(int error) {
  check_memory(error);
  if (failure_.empty()) {
    failure_ = error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? "it does not begin with HTTP/2's connection preface"
                                                     : nghttp2_strerror(error);
    if (!detail_.empty()) {
      failure_ += ": " + detail_;
    }
  }
}

bool Http2Session::receive(std::string_view bytes) {
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    fail(static_cast<int>(taken));
    return false;
  }
  return true;
}

bool Http2Session::flush(ByteSink& sink, std::size_t most) {
  for (std::size_t moved = 0; moved < most;) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size < 0) {
      fail(static_cast<int>(size));
      return false;
    }
    if (size == 0) {
      break;
    }
    sink.write({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
    moved += static_cast<std::size_t>(size);
  }
  return true;
}

bool Http2Session::wants_flush() const { return nghttp2_session_want_write(session_) != 0; }

bool Http2Session::over() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

std::optional<Http2StreamId> Http2Session::submit_request(Http2Headers headers, bool with_body) {
  const auto nvs = to_nv(headers);
  const nghttp2_data_provider provider = Callbacks::provider();
  const std::int32_t id =
      nghttp2_submit_request(session_, nullptr, nvs.data(), nvs.size(), with_body ? &provider : nullptr, nullptr);
  if (id < 0) {
    check_memory(id);
    return {};
  }
  ++open_;
  return id;
}

void Http2Session::submit_response(Http2StreamId stream, Http2Headers headers, bool with_body) {
  const auto nvs = to_nv(headers);
  const nghttp2_data_provider provider = Callbacks::provider();
  check_memory(nghttp2_submit_response(session_, stream, nvs.data(), nvs.size(), with_body ? &provider : nullptr));
}

void Http2Session::submit_trailers(Http2StreamId stream, Http2Headers headers) {
  const auto nvs = to_nv(headers);
  check_memory(nghttp2_submit_trailer(session_, stream, nvs.data(), nvs.size()));
}

void Http2Session::resume(Http2StreamId stream) { check_memory(nghttp2_session_resume_data(session_, stream)); }

void Http2Session::reset(Http2StreamId stream, Http2Error error) {
  check_memory(nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, static_cast<std::uint32_t>(error)));
}

void Http2Session::consume(Http2StreamId stream, std::size_t bytes) {
  check_memory(nghttp2_session_consume(session_, stream, bytes));
}

void Http2Session::ping() { check_memory(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr)); }

void Http2Session::announce_shutdown() { check_memory(nghttp2_submit_shutdown_notice(session_)); }

void Http2Session::goaway(Http2Error error, std::string_view debug) {
  check_memory(nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                                     static_cast<std::uint32_t>(error),
                                     reinterpret_cast<const std::uint8_t*>(debug.data()), debug.size()));
}

}  // namespace remora::http
