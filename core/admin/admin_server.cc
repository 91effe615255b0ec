#include "core/admin/admin_server.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace remora::admin {
namespace {

constexpr unsigned short kMethods = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                    EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH;

std::string_view method_name(evhttp_cmd_type command) {
  switch (command) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_POST:
      return "POST";
    case EVHTTP_REQ_PUT:
      return "PUT";
    case EVHTTP_REQ_DELETE:
      return "DELETE";
    case EVHTTP_REQ_OPTIONS:
      return "OPTIONS";
    default:
      return "PATCH";
  }
}

const char* reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

std::string why_not(const Address& address, int error, const std::string& setting) {
  std::string way_out = "check " + setting;
  if (error == EADDRINUSE) {
    way_out =
        fmt::format("{}: stop it, or change {}",
                    address.is_ip() ? "another process listens there" : "a process listens on that socket", setting);
  } else if (error == EACCES || error == EPERM) {
    way_out = "not permitted: take a port of 1024 or above, or a path that this user may write";
  } else if (error == EADDRNOTAVAIL) {
    way_out = "this machine has no such address";
  }
  return fmt::format("admin cannot listen on {}: {}; {}", address.to_string(), std::strerror(error), way_out);
}

// A path whose owner died is in the way of bind, but answers nobody.
void remove_stale(const Address& address, const std::string& path) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe >= 0) {
    if (connect(probe, address.data(), address.size()) != 0 && errno == ECONNREFUSED) {
      unlink(path.c_str());
    }
    close(probe);
  }
}

}  // namespace

AdminServer::AdminServer(LibeventLoop& loop, AdminHandler handler, std::string setting, std::string access_log)
    : loop_(loop),
      handler_(std::move(handler)),
      setting_(std::move(setting)),
      access_log_(std::move(access_log)),
      http_(evhttp_new(loop.base())) {
  evhttp_set_allowed_methods(http_, kMethods);
  evhttp_set_max_headers_size(http_, 16 * 1024);
  evhttp_set_max_body_size(http_, 64 * 1024);
  evhttp_set_timeout(http_, 60);
  evhttp_set_default_content_type(http_, nullptr);
  evhttp_set_gencb(http_, &AdminServer::on_request, this);
  after_timer_.bind<&AdminServer::run_after>(this);
}

AdminServer::~AdminServer() {
  evhttp_free(http_);
  if (!unix_path_.empty()) {
    unlink(unix_path_.c_str());
  }
}

Result<void> AdminServer::listen(const Address& address) {
  if (!access_log_.empty()) {
    const int log = open(access_log_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log < 0) {
      return fail(fmt::format("cannot open admin's access log {}: {}; name a file that this user may write",
                              access_log_, std::strerror(errno)));
    }
    close(log);
  }
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fail(why_not(address, errno, setting_));
  }
  const std::string path = address.is_ip() ? std::string() : address.to_string();
  if (!path.empty() && path[0] != '@') {
    remove_stale(address, path);
  }
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(fd, address.data(), address.size()) != 0 || ::listen(fd, 128) != 0) {
    const int error = errno;
    close(fd);
    return fail(why_not(address, error, setting_));
  }
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  address_ = address.is_ip() ? Address::from_sockaddr(reinterpret_cast<sockaddr*>(&bound), length) : address;
  if (evhttp_accept_socket_with_handle(http_, fd) == nullptr) {
    close(fd);
    return fail(why_not(address, errno, setting_));
  }
  unix_path_ = !path.empty() && path[0] != '@' ? path : std::string();
  return {};
}

void AdminServer::on_request(evhttp_request* request, void* self) {
  auto& server = *static_cast<AdminServer*>(self);
  server.loop_.enter_turn();
  const char* target = evhttp_request_get_uri(request);
  target = target == nullptr ? "/" : target;
  const std::string_view method = method_name(evhttp_request_get_command(request));
  AdminResponse response = server.handler_(AdminRequest::parse(method, target));
  if (!server.access_log_.empty()) {
    server.log(request, method, target, response.status, method == "HEAD" ? 0 : response.body.size());
  }

  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  evhttp_add_header(headers, "content-type", std::string(response.type).c_str());
  evhttp_add_header(headers, "cache-control", "no-cache, max-age=0");
  evhttp_add_header(headers, "x-content-type-options", "nosniff");
  evhttp_add_header(headers, "server", "remora");
  evbuffer* body = evbuffer_new();
  auto* kept = new std::string(std::move(response.body));
  evbuffer_add_reference(
      body, kept->data(), kept->size(),
      [](const void*, std::size_t, void* text) { delete static_cast<std::string*>(text); }, kept);
  evhttp_send_reply(request, response.status, reason(response.status), body);
  evbuffer_free(body);
  if (response.after) {
    // The answer is written in the next turn; what ends the loop must come later.
    server.after_.push_back(std::move(response.after));
    server.loop_.arm(server.after_timer_, Milliseconds(20));
  }
}

// The file is opened for each line: requests are few, and a rotated file needs no word.
void AdminServer::log(evhttp_request* request, std::string_view method, const char* target, int status,
                      std::size_t bytes) const {
  const int fd = open(access_log_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return;  // the start checked it; a disk may be full since
  }
  const auto header = [&](const char* name) {
    const char* value = evhttp_find_header(evhttp_request_get_input_headers(request), name);
    return value == nullptr ? "-" : value;
  };
  const auto since = loop_.wall_now().time_since_epoch();
  const time_t seconds = std::chrono::duration_cast<Seconds>(since).count();
  tm parts{};
  gmtime_r(&seconds, &parts);
  char time[32];
  strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string line = fmt::format(
      "[{}.{:03}Z] \"{} {} HTTP/{}.{}\" {} - {} {} 0 - \"{}\" \"{}\" \"{}\" \"{}\" \"-\"\n", time,
      std::chrono::duration_cast<Milliseconds>(since).count() % 1000, method, target, static_cast<int>(request->major),
      static_cast<int>(request->minor), status, evbuffer_get_length(evhttp_request_get_input_buffer(request)), bytes,
      header("x-forwarded-for"), header("user-agent"), header("x-request-id"), header("host"));
  [[maybe_unused]] const auto wrote = write(fd, line.data(), line.size());
  close(fd);
}

void AdminServer::run_after() {
  const auto work = std::exchange(after_, {});
  for (const auto& item : work) {
    item();
  }
}

}  // namespace remora::admin
