#include "core/net/ares_resolver.h"

#include <ares.h>
#include <netdb.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace remora::net {
namespace {

void init_library() {
  static std::once_flag once;  // c-ares asks for it, once a process
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
}

std::string csv(const std::vector<Address>& servers) {
  std::string text;
  for (const Address& server : servers) {
    text += (text.empty() ? "" : ",") + server.to_string();
  }
  return text;
}

std::string words_of(int status) {
  switch (status) {
    case ARES_ETIMEOUT:
      return "no DNS server answered in time";
    case ARES_ESERVFAIL:
      return "the DNS server failed (SERVFAIL)";
    case ARES_EREFUSED:
      return "the DNS server refused the question (REFUSED)";
    case ARES_ECONNREFUSED:
      return "no DNS server could be asked: none listens, or all failed";
    default:
      return ares_strerror(status);
  }
}

Answer answer_of(int status, const ares_addrinfo* found) {
  Answer answer;
  if (status == ARES_ENODATA || status == ARES_ENOTFOUND) {
    answer.ok = true;
    answer.why = status == ARES_ENODATA ? "it has no record of this kind" : "there is no such name (NXDOMAIN)";
    return answer;
  }
  if (status != ARES_SUCCESS) {
    answer.why = words_of(status);
    return answer;
  }
  answer.ok = true;
  int ttl = -1;
  for (const ares_addrinfo_node* node = found->nodes; node != nullptr; node = node->ai_next) {
    answer.addresses.push_back(Address::from_sockaddr(node->ai_addr, static_cast<socklen_t>(node->ai_addrlen)));
    ttl = ttl < 0 ? node->ai_ttl : std::min(ttl, node->ai_ttl);
  }
  answer.ttl = Seconds(std::max(ttl, 0));
  return answer;
}

}  // namespace

struct AresResolver::Query {
  AresResolver* resolver = nullptr;
  Done done;  // empty: nobody waits any more
  Answer answer;
  std::shared_ptr<Query> self;  // while c-ares knows of it
};

class AresResolver::Handle final : public Lookup {
 public:
  explicit Handle(std::shared_ptr<Query> query) : query_(std::move(query)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override { query_->done = nullptr; }

 private:
  std::shared_ptr<Query> query_;
};

AresResolver::AresResolver(LibeventLoop& loop, AresOptions options) : loop_(loop), options_(std::move(options)) {
  deliver_task_.bind<&AresResolver::deliver>(this);
  timer_.bind<&AresResolver::on_timer>(this);
  init_library();
  open();
}

AresResolver::~AresResolver() { close(); }

void AresResolver::open() {
  ares_options settings{};
  settings.sock_state_cb = &AresResolver::on_socket_state;
  settings.sock_state_cb_data = this;
  settings.timeout = static_cast<int>(options_.timeout.count());
  settings.tries = options_.tries;
  settings.flags = ARES_FLAG_EDNS | (options_.tcp ? ARES_FLAG_USEVC : 0) | (options_.search ? 0 : ARES_FLAG_NOSEARCH);
  const int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS;
  int status = ares_init_options(&channel_, &settings, mask);
  if (status == ARES_SUCCESS && !options_.servers.empty()) {
    status = ares_set_servers_ports_csv(channel_, csv(options_.servers).c_str());
  }
  if (status != ARES_SUCCESS) {
    broken_ = ares_strerror(status);
    close();
  }
}

void AresResolver::close() {
  if (channel_ != nullptr) {
    ares_destroy(std::exchange(channel_, nullptr));  // answers whatever is under way
  }
  for (auto& [fd, watch] : watches_) {
    event_free(watch.readable);
    event_free(watch.writable);
  }
  watches_.clear();
}

std::unique_ptr<Lookup> AresResolver::resolve(const std::string& host, Family family, Done done) {
  if (stale_ && under_way_ == 0) {
    stale_ = false;
    close();
    open();
  }
  auto query = std::make_shared<Query>();
  query->resolver = this;
  query->done = std::move(done);
  query->self = query;
  ++under_way_;
  if (channel_ == nullptr) {
    query->answer.why = broken_;
    answered_.push_back(std::exchange(query->self, nullptr));
    --under_way_;
    loop_.next_turn(deliver_task_);
    return std::make_unique<Handle>(query);
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = family == Family::v4 ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &AresResolver::on_answer, query.get());
  rearm();
  return std::make_unique<Handle>(query);
}

void AresResolver::on_answer(void* raw, int status, int, ares_addrinfo* found) {
  auto& query = *static_cast<Query*>(raw);
  AresResolver& resolver = *query.resolver;
  query.answer = answer_of(status, found);
  if (found != nullptr) {
    ares_freeaddrinfo(found);
  }
  --resolver.under_way_;
  resolver.stale_ = resolver.stale_ || status == ARES_ECONNREFUSED;
  const std::shared_ptr<Query> self = std::exchange(query.self, nullptr);
  if (status != ARES_EDESTRUCTION) {
    resolver.answered_.push_back(self);
    resolver.loop_.next_turn(resolver.deliver_task_);
  }
}

void AresResolver::deliver() {
  for (const auto& query : std::exchange(answered_, {})) {
    if (Done done = std::exchange(query->done, nullptr)) {
      done(query->answer);
    }
  }
}

// ---- the loop's side

void AresResolver::on_socket_state(void* raw, int fd, int readable, int writable) {
  auto& self = *static_cast<AresResolver*>(raw);
  auto found = self.watches_.find(fd);
  if (readable == 0 && writable == 0) {  // it closes
    if (found != self.watches_.end()) {
      event_free(found->second.readable);
      event_free(found->second.writable);
      self.watches_.erase(found);
    }
    return;
  }
  if (found == self.watches_.end()) {
    found = self.watches_.try_emplace(fd).first;
    Watch& watch = found->second;
    watch.resolver = &self;
    watch.readable = event_new(self.loop_.base(), fd, EV_READ | EV_PERSIST, &AresResolver::on_socket, &watch);
    watch.writable = event_new(self.loop_.base(), fd, EV_WRITE | EV_PERSIST, &AresResolver::on_socket, &watch);
  }
  readable != 0 ? event_add(found->second.readable, nullptr) : event_del(found->second.readable);
  writable != 0 ? event_add(found->second.writable, nullptr) : event_del(found->second.writable);
}

void AresResolver::on_socket(int fd, short what, void* raw) {
  AresResolver& self = *static_cast<Watch*>(raw)->resolver;
  self.loop_.enter_turn();
  ares_process_fd(self.channel_, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                  (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
  self.rearm();
}

void AresResolver::on_timer() {
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  rearm();
}

void AresResolver::rearm() {
  timeval wait{};
  if (channel_ == nullptr || ares_timeout(channel_, nullptr, &wait) == nullptr) {
    timer_.cancel();
    return;
  }
  loop_.arm(timer_, std::chrono::duration_cast<Nanoseconds>(Seconds(wait.tv_sec) + Microseconds(wait.tv_usec)) +
                        Milliseconds(1));
}

}  // namespace remora::net
