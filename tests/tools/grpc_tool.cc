// remora-grpc-tool: our gRPC against peers that we did not write, for system tests.
//   serve          an ADS server on a free port of 127.0.0.1, which it prints, with an echo service at
//                  /remora.test.Echo/Talk. What it serves comes by stdin, one command a line:
//                    set TYPE NAME BASE64 [ENDPOINTS_NAME]    TYPE is clusters, endpoints, listeners, routes, secrets
//                    del TYPE NAME
//                    commit                                   from now on nodes get this
//                    drain                                    GOAWAY; streams have two seconds
//                  Every node gets all of it. End of stdin ends it.
//   call ADDRESS PORT PATH    one call: sends each line of stdin as a message, prints what comes and how it ends.
//   load ADDRESS PORT COUNT   as many proxies, each with a connection and a delta stream for everything; says when all
//   of
//                             them were sent something, and how many milliseconds lay between the first and the last.
#include <event2/event.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <list>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "control/server/admin_pages.h"
#include "control/server/ads_server.h"
#include "core/admin/admin_server.h"
#include "core/event/libevent_loop.h"
#include "core/grpc/channel.h"
#include "core/grpc/wire.h"
#include "core/net/socket_transport.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace remora {
namespace {

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

// Lines of stdin, as the loop's events.
class Lines {
 public:
  Lines(LibeventLoop& loop, std::function<void(const std::string&)> on_line, std::function<void()> on_end)
      : on_line_(std::move(on_line)), on_end_(std::move(on_end)) {
    evutil_make_socket_nonblocking(STDIN_FILENO);
    event_ = event_new(loop.base(), STDIN_FILENO, EV_READ | EV_PERSIST, &Lines::on_event, this);
    loop_ = &loop;
    event_add(event_, nullptr);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  ~Lines() { event_free(event_); }

 private:
  static void on_event(int, short, void* me) {
    auto& self = *static_cast<Lines*>(me);
    self.loop_->enter_turn();
    std::array<char, 65536> buffer;
    const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got == 0) {
      event_del(self.event_);
      self.on_end_();
      return;
    }
    self.text_.append(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    for (std::size_t end = self.text_.find('\n'); end != std::string::npos; end = self.text_.find('\n')) {
      const std::string line = self.text_.substr(0, end);
      self.text_.erase(0, end + 1);
      self.on_line_(line);
    }
  }

  LibeventLoop* loop_ = nullptr;
  event* event_ = nullptr;
  std::string text_;
  std::function<void(const std::string&)> on_line_;
  std::function<void()> on_end_;
};

// Gives every node what the test typed.
class TypedProvider final : public control::ResourceProvider {
 public:
  control::NodeResourcesPtr resources_for(const control::Node&) override { return current_; }
  void on_change(std::function<void()> changed) override { changed_ = std::move(changed); }

  void run(const std::string& line) {
    std::istringstream words(line);
    std::string verb, type, name, value, endpoints;
    words >> verb >> type >> name >> value >> endpoints;
    if (verb == "commit") {
      commit();
      return;
    }
    for (const control::Type each : control::kAllTypes) {
      if (control::type_name(each) == type) {
        auto& set = next_[static_cast<std::size_t>(each)];
        if (verb == "set") {
          set[name] = pool_.share(each, grpc::base64_decode(value).value_or(""), endpoints);
        } else {
          set.erase(name);
        }
      }
    }
  }

 private:
  void commit() {
    auto made = std::make_shared<control::NodeResources>();
    for (const control::Type type : control::kAllTypes) {
      auto set = std::make_shared<const control::ResourceSet>(next_[static_cast<std::size_t>(type)]);
      const auto& old = current_->of(type);
      made->of(type) = set->version() == old->version() ? old : set;
    }
    current_ = made;
    if (changed_) {
      changed_();
    }
    say("committed");
  }

  control::ResourcePool pool_;
  std::array<control::ResourceSet::ByName, control::kTypes> next_;
  control::NodeResourcesPtr current_ = std::make_shared<control::NodeResources>();
  std::function<void()> changed_;
};

struct Echo final : grpc::StreamEvents {
  std::unique_ptr<grpc::Stream> stream;
  void on_message(std::string_view message) override {
    if (stream != nullptr && message == "fail") {
      stream->finish({grpc::Code::failed_precondition, "you said: fail, 100% ä"});
      stream = nullptr;
    } else if (stream != nullptr) {
      stream->send(message);
    }
  }
  void on_half_closed() override {
    stream->finish({});
    stream = nullptr;
  }
  void on_closed(const grpc::Status&) override { stream = nullptr; }
};

struct Base {
  LibeventLoop loop;
  net::SocketNetwork network{loop};
  BlockPool blocks;
  std::array<char, 65536> scratch;
  net::ConnectionContext context{loop, blocks, scratch};
};

int serve() {
  Base base;
  TypedProvider provider;
  control::AdsOptions options;
  options.log = [](const std::string& line) { say("log " + line); };
  control::AdsServer server(base.context, base.network, provider, options);
  std::list<Echo> echoes;
  server.grpc().handle("/remora.test.Echo/Talk", [&](const grpc::Call& call, std::unique_ptr<grpc::Stream> stream) {
    for (const auto& [name, value] : call.metadata) {
      say(fmt::format("metadata {}={}", name, value));
    }
    Echo& echo = echoes.emplace_back();
    echo.stream = std::move(stream);
    return &echo;
  });
  if (const auto listening = server.listen(Address::parse("127.0.0.1", 0).value()); !listening) {
    std::fprintf(stderr, "%s\n", listening.error().message.c_str());
    return 1;
  }
  say(fmt::format("port {}", server.address().port()));
  control::ControlPages pages(server, provider);
  admin::AdminServer admin(
      base.loop, [&](const admin::AdminRequest& request) { return pages.answer(request); }, "nothing");
  if (!admin.listen(Address::parse("127.0.0.1", 0).value())) {
    return 1;
  }
  say(fmt::format("admin {}", admin.address().port()));
  const Lines lines(
      base.loop,
      [&](const std::string& line) {
        if (line == "drain") {
          server.drain(Seconds(2));
        } else {
          provider.run(line);
        }
      },
      [&] { base.loop.stop(); });
  base.loop.run();
  return 0;
}

int call(const std::string& ip, int port, const std::string& path) {
  Base base;
  struct Caller final : grpc::StreamEvents {
    LibeventLoop* loop = nullptr;
    void on_message(std::string_view message) override { say(fmt::format("message {}", message)); }
    void on_closed(const grpc::Status& status) override {
      say(fmt::format("closed {} {}", grpc::code_name(status.code), status.message));
      loop->stop();
    }
  } caller;
  caller.loop = &base.loop;
  grpc::Channel channel(base.context, base.network, Address::parse(ip, static_cast<std::uint16_t>(port)).value());
  auto stream = channel.open(path, {{"x-test", "yes"}, {"x-test-bin", "\x01\x02"}}, caller);
  const Lines lines(base.loop, [&](const std::string& line) { stream->send(line); }, [&] { stream->finish({}); });
  base.loop.run();
  return 0;
}

// One of the proxies of `load`.
class Proxy final : public grpc::StreamEvents {
 public:
  Proxy(Base& base, const Address& to, int number, std::function<void()> on_news)
      : channel_(base.context, base.network, to), on_news_(std::move(on_news)) {
    stream_ =
        channel_.open("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", {}, *this);
    for (const control::Type type : control::kAllTypes) {
      envoy::service::discovery::v3::DeltaDiscoveryRequest request;
      if (type == control::Type::cluster) {
        request.mutable_node()->set_id(fmt::format("load-{}", number));
        request.mutable_node()->set_cluster("web");
      }
      request.set_type_url(std::string(control::type_url(type)));
      request.add_resource_names_subscribe("*");
      stream_->send(request.SerializeAsString());
    }
  }

 private:
  void on_message(std::string_view message) override {
    envoy::service::discovery::v3::DeltaDiscoveryResponse response;
    response.ParseFromArray(message.data(), static_cast<int>(message.size()));
    envoy::service::discovery::v3::DeltaDiscoveryRequest ack;
    ack.set_type_url(response.type_url());
    ack.set_response_nonce(response.nonce());
    stream_->send(ack.SerializeAsString());
    if (response.resources_size() + response.removed_resources_size() > 0) {
      on_news_();
    }
  }
  void on_closed(const grpc::Status& status) override { say("lost " + status.message); }

  grpc::Channel channel_;
  std::function<void()> on_news_;
  std::unique_ptr<grpc::Stream> stream_;
};

int load(const std::string& ip, int port, std::size_t count) {
  Base base;
  const Address to = Address::parse(ip, static_cast<std::uint16_t>(port)).value();
  std::size_t heard = 0;
  MonotonicTime first;
  const auto on_news = [&] {
    if (heard == 0) {
      first = base.loop.precise_now();
    }
    if (++heard == count) {
      heard = 0;
      say(fmt::format("all {}", (base.loop.precise_now() - first) / Milliseconds(1)));
    }
  };
  std::list<Proxy> proxies;
  for (std::size_t i = 0; i < count; ++i) {
    proxies.emplace_back(base, to, static_cast<int>(i), on_news);
  }
  const Lines lines(base.loop, [](const std::string&) {}, [&] { base.loop.stop(); });
  base.loop.run();
  return 0;
}

}  // namespace
}  // namespace remora

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "serve") {
    return remora::serve();
  }
  if (words.size() == 4 && words[0] == "call") {
    return remora::call(words[1], std::atoi(words[2].c_str()), words[3]);
  }
  if (words.size() == 4 && words[0] == "load") {
    return remora::load(words[1], std::atoi(words[2].c_str()), std::stoul(words[3]));
  }
  std::fputs("usage: remora-grpc-tool serve | call ADDRESS PORT PATH | load ADDRESS PORT COUNT\n", stderr);
  return 2;
}
