#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/consul/connection.h"

namespace remora::consul {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::size_t kShown = 200;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  return text.substr(0, kShown);
}

bool is_no_leader(std::string_view body) {
  return body.find("No cluster leader") != std::string_view::npos ||
         body.find("No known Consul servers") != std::string_view::npos ||
         body.find("leadership lost") != std::string_view::npos;
}

}  // namespace

Call::Call(Client& client, Request request, Client::Callback done)
    : client_(client),
      request_(std::move(request)),
      done_(std::move(done)),
      arena_(client.context_.blocks),
      first_agent_(client.current_) {
  task_.bind<&Call::begin>(this);
  deadline_.bind<&Call::on_deadline>(this);
  client_.loop().next_turn(task_);
  client_.loop().arm(deadline_, request_.timeout);
}

Call::~Call() {
  if (connection_ != nullptr) {
    connection_->abandon();
  }
}

std::string Call::target() const {
  std::string text = request_.path;
  char separator = '?';
  for (const auto& [key, value] : request_.query) {
    text += separator + escape(key) + (value.empty() ? "" : "=" + escape(value));
    separator = '&';
  }
  return text;
}

Failure Call::failure(Failure::Reason reason, std::string_view words) const {
  return {reason,
          fmt::format("{} at {}, {} {}: {}", client_.options_.called, client_.agent(first_agent_ + tried_).authority,
                      request_.method, request_.path, words),
          answer_.status};
}

void Call::begin() {
  if (client_.options_.token) {
    auto token = client_.options_.token();
    if (!token) {
      settle(std::unexpected(failure(Failure::Reason::token, token.error().message)));
      return;
    }
    token_ = std::move(*token);
  }
  if (request_.connection != 0 && !client_.is_kept(request_.connection)) {
    settle(std::unexpected(
        failure(Failure::Reason::broken, "the connection of the answer before ended as this was about to be asked")));
    return;
  }
  if (Connection* idle = client_.take_idle(client_.agent(first_agent_), request_.connection)) {
    connection_ = idle;
    first_agent_ = client_.turn_of(idle->agent());
    idle->lend(*this);
    send();
    return;
  }
  try_next_agent("");
}

void Call::try_next_agent(std::string words) {
  while (tried_ < client_.options_.agents.size()) {
    auto opened = client_.open(client_.agent(first_agent_ + tried_));
    if (opened) {
      connection_ = *opened;
      connection_->lend(*this);
      return;
    }
    words = std::strerror(opened.error());
    ++tried_;
  }
  tried_ = client_.options_.agents.size() - 1;
  settle(std::unexpected(failure(
      Failure::Reason::connect,
      fmt::format(
          "cannot connect: {}{}", words,
          client_.options_.agents.size() > 1 ? fmt::format(" (nor to any other of {})", client_.agents()) : ""))));
}

void Call::on_connect_failed(std::string words) {
  connection_ = nullptr;
  ++tried_;
  try_next_agent(std::move(words));
}

void Call::send() {
  answer_.connection = connection_->serial();
  http::RequestHead head(arena_);
  head.method = request_.method;
  head.method_id = http::method_id(request_.method);
  head.authority = connection_->agent().authority;
  head.path = arena_.copy(target());
  head.headers.add("accept", "application/json");
  head.headers.add("user-agent", "remora");
  if (!token_.empty()) {
    head.headers.add("x-consul-token", token_);
  }
  http::BodyLength length;
  if (!request_.body.empty()) {
    head.headers.add("content-type", "application/json");
    length = {http::BodyLength::Kind::known, request_.body.size()};
  }
  http::ClientStream& stream = connection_->begin(*this);
  stream.send_head(head, length);
  if (!request_.body.empty()) {
    stream.send_body(request_.body, /*end=*/true);
  }
}

void Call::on_head(http::ResponseHead& head, bool) {
  begun_ = true;
  answer_.status = head.status;
  if (const http::Header* index = head.headers.find("x-consul-index")) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(index->value.data(), index->value.data() + index->value.size(), value);
    if (error == std::errc{} && end == index->value.data() + index->value.size()) {
      answer_.index = value;
    }
  }
  // Out of its streaming backend, which answers blocking queries on health, Consul always says that it knows no leader.
  const http::Header* backend = head.headers.find("x-consul-query-backend");
  const bool streamed = backend != nullptr && backend->value == "streaming";
  if (const http::Header* leader = head.headers.find("x-consul-knownleader"); leader != nullptr && !streamed) {
    answer_.known_leader = leader->value == "true";
  }
  const http::Header* filtered = head.headers.find("x-consul-results-filtered-by-acls");
  answer_.filtered = filtered != nullptr && filtered->value == "true";
}

void Call::on_response_body(std::string_view data) {
  if (outcome_) {
    return;
  }
  if (answer_.body.size() + data.size() > client_.options_.max_body) {
    answer_.body = {};
    settle(std::unexpected(failure(Failure::Reason::too_large,
                                   fmt::format("the answer has more than {} bytes", client_.options_.max_body))));
    return;
  }
  answer_.body += data;
}

void Call::on_response_end() {
  connection_ = nullptr;
  if (!outcome_) {
    settle(judge());
  }
}

void Call::on_reset(http::ResetReason reason, std::string_view cause) {
  const bool stale = request_.replay && connection_->used_before() && !begun_ && !replayed_;
  connection_ = nullptr;
  if (outcome_) {
    return;
  }
  if (stale && reason == http::ResetReason::connection_closed) {
    replayed_ =
        true;  // an idle connection that the agent closed as we used it: nothing was done. Once more, on a new one
    try_next_agent("");
    return;
  }
  settle(std::unexpected(failure(
      reason == http::ResetReason::protocol_error ? Failure::Reason::protocol : Failure::Reason::broken, cause)));
}

Outcome Call::judge() {
  if (answer_.status == 200) {
    client_.current_ = first_agent_ + tried_;
    return std::move(answer_);
  }
  const std::string_view body = trimmed(answer_.body);
  if (answer_.status == 403) {
    return std::unexpected(
        failure(Failure::Reason::refused,
                fmt::format("403, {} ({})", body, token_.empty() ? "no token was sent" : "a token was sent")));
  }
  const bool no_leader = answer_.status >= 500 && is_no_leader(answer_.body);
  return std::unexpected(failure(no_leader ? Failure::Reason::no_leader : Failure::Reason::status,
                                 fmt::format("{}, {}", answer_.status, body.empty() ? "without a word" : body)));
}

void Call::on_deadline() {
  settle(std::unexpected(
      failure(Failure::Reason::timeout, fmt::format("no answer within {} ms", request_.timeout.count()))));
}

void Call::settle(Outcome outcome) {
  const bool agents_fault = !outcome && outcome.error().reason != Failure::Reason::refused &&
                            outcome.error().reason != Failure::Reason::token;
  if (agents_fault) {
    client_.current_ = first_agent_ + tried_ + 1;  // the next question goes to the next agent
  }
  outcome_ = std::move(outcome);
  deadline_.cancel();
  task_.cancel();
  task_.bind<&Call::deliver>(this);
  client_.loop().at_turn_end(task_);
}

void Call::deliver() {
  if (connection_ != nullptr) {  // it is still in mid-answer, or connecting
    std::exchange(connection_, nullptr)->abandon();
  }
  const Client::Callback done = std::move(done_);
  Outcome outcome = std::move(*outcome_);
  done(std::move(outcome));  // may destroy *this
}

}  // namespace remora::consul
