#include "tests/sim/fake_consul.h"

#include <algorithm>
#include <cstdlib>

namespace remora::sim {
namespace {

std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string query_value(std::string_view target, std::string_view name) {
  const std::size_t question = target.find('?');
  std::string_view rest = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view item = rest.substr(0, end);
    if (item.starts_with(name) && item.substr(name.size()).starts_with('=')) {
      return std::string(item.substr(name.size() + 1));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "";
}

std::string response(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\ncontent-type: application/json\r\n" + headers +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

std::string health_json(const std::string& service, const std::vector<FakeInstance>& instances) {
  std::string list;
  for (const FakeInstance& at : instances) {
    std::string tags;
    for (const std::string& tag : at.tags) {
      tags += (tags.empty() ? "" : ",") + quoted(tag);
    }
    list += std::string(list.empty() ? "" : ",") +
            R"({"Node":{"ID":"n","Node":"node1","Address":"10.9.0.1","Datacenter":)" + quoted(at.datacenter) +
            R"(,"TaggedAddresses":null,"Meta":{}},"Service":{"Kind":)" + quoted(at.kind) + R"(,"ID":)" + quoted(at.id) +
            R"(,"Service":)" + quoted(service) + R"(,"Tags":[)" + tags + R"(],"Address":)" + quoted(at.address) +
            R"(,"Port":)" + std::to_string(at.port) + R"(,"Meta":{"version":)" + quoted(at.version) +
            R"(},"Weights":{"Passing":3,"Warning":1}},"Checks":[)" + R"({"Node":"node1","CheckID":"c","Status":)" +
            quoted(at.status) + R"(,"Output":)" + quoted(at.output) + R"(,"ServiceTags":null}]})";
  }
  return "[" + list + "]";
}

FakeConsul::FakeConsul(SimLoop& loop, SimNetwork& network, const Address& address)
    : loop_(loop), network_(network), address_(address) {
  start();
}

void FakeConsul::set(const std::string& path, std::string body) {
  bodies_[path] = std::move(body);
  touch();
}

void FakeConsul::touch() {
  ++index_;
  wake();
}

void FakeConsul::stop() {
  acceptor_.reset();
  for (const auto& peer : peers_) {
    peer->on_change = {};
    if (!peer->over()) {
      peer->close(/*reset=*/true);
    }
  }
  peers_.clear();
  waiting_.clear();
}

void FakeConsul::start() { acceptor_ = network_.listen(address_, {}, *this).value(); }

void FakeConsul::restart(std::uint64_t index, bool forget) {
  stop();
  index_ = index;
  if (forget) {
    bodies_.clear();
  }
  start();
}

std::size_t FakeConsul::asked(std::string_view part) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(asked_, [&](const Asked& at) { return at.target.find(part) != std::string::npos; }));
}

void FakeConsul::on_accept(std::unique_ptr<net::Transport> transport) {
  ++connections_;
  auto peer = std::make_shared<Peer>(std::move(transport));
  peers_.push_back(peer);
  peer->on_change = [this, weak = std::weak_ptr<Peer>(peer)] {
    if (const auto alive = weak.lock()) {
      on_bytes(alive);
    }
  };
}

void FakeConsul::on_bytes(const std::shared_ptr<Peer>& peer) {
  while (auto message = take_request(peer->received)) {
    take(peer, *message);
  }
  if (peer->ended) {
    peer->close();
  }
}

void FakeConsul::take(const std::shared_ptr<Peer>& peer, const WireMessage& message) {
  const Asked& asked = asked_.emplace_back(
      Asked{message.method(), message.target(), message.header("x-consul-token"), message.body, loop_.now()});
  if (mode == Mode::hangs) {
    return;
  }
  if (asked.method == "PUT" && mode == Mode::well) {
    const auto [status, body] = on_put ? on_put(asked) : std::pair<int, std::string>(200, "");
    peer->send(response(status, body, ""));
    return;
  }
  const std::string path = asked.target.substr(0, asked.target.find('?'));
  const std::uint64_t index = std::strtoull(query_value(asked.target, "index").c_str(), nullptr, 10);
  const bool blocks = mode == Mode::well || mode == Mode::stale_leaderless;
  if (!blocks || index == 0 || index < index_) {
    answer(peer, path);
    return;
  }
  const auto question = std::make_shared<Question>(Question{peer, path, index});
  waiting_.push_back(question);
  const auto wait = std::strtoll(query_value(asked.target, "wait").c_str(), nullptr, 10);
  loop_.at(Milliseconds(wait), [this, question] {
    if (!question->over && !question->peer->over()) {
      question->over = true;
      answer(question->peer, question->path, true);
    }
  });
}

void FakeConsul::answer(const std::shared_ptr<Peer>& peer, const std::string& path, bool blocked) {
  const auto found = bodies_.find(path);
  const std::string body = found == bodies_.end() ? "[]" : found->second;
  const std::string index = "x-consul-index: " + std::to_string(index_) + "\r\n";
  switch (mode) {
    case Mode::no_leader:
      peer->send(response(500, "No cluster leader", ""));
      return;
    case Mode::errors:
      peer->send(response(500, "rpc error making call: oops", ""));
      return;
    case Mode::forbidden:
      peer->send(response(403, "ACL not found", ""));
      return;
    case Mode::garbage:
      peer->send(response(200, "<html>what?</html>", index));
      return;
    case Mode::wrong_shape:
      peer->send(response(200, R"([{"Service":{"Port":"eighty"}}])", index));
      return;
    case Mode::zero_index:
      peer->send(response(200, body, "x-consul-index: 0\r\n"));
      return;
    case Mode::stale_leaderless:
      peer->send(response(200, body, index + "x-consul-knownleader: false\r\n"));
      return;
    case Mode::filters:
      peer->send(response(
          200, "[]",
          index + (blocked ? "x-consul-query-backend: streaming\r\n" : "x-consul-results-filtered-by-acls: true\r\n")));
      return;
    case Mode::streams:
      peer->send(response(200, body, index + "x-consul-knownleader: false\r\nx-consul-query-backend: streaming\r\n"));
      return;
    default:
      peer->send(response(200, body, index + "x-consul-knownleader: true\r\n"));
  }
}

void FakeConsul::wake() {
  std::list<std::shared_ptr<Question>> due;
  due.swap(waiting_);
  for (const auto& question : due) {
    if (!question->over && !question->peer->over()) {
      question->over = true;
      answer(question->peer, question->path, true);
    }
  }
}

}  // namespace remora::sim
