#include "proxy/sources/rest_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/sources/text_response.h"
#include "proxy/xds/json.h"

namespace remora::sources {
namespace {

constexpr std::string_view kPaths[kResourceTypes] = {"/v3/discovery:clusters", "/v3/discovery:endpoints",
                                                     "/v3/discovery:listeners", "/v3/discovery:routes",
                                                     "/v3/discovery:secrets"};
constexpr int kNotModified = 304;
constexpr Milliseconds kLookAgain{20};  // while whom we ask has no address yet

}  // namespace

RestFeed::RestFeed(const net::ConnectionContext& context, net::Network& network, Random& random,
                   xds::ConfigSource source, std::string node, ResourceType type, Addresses addresses,
                   FeedEvents events)
    : context_(context),
      network_(network),
      random_(random),
      source_(std::move(source)),
      node_(std::move(node)),
      type_(type),
      addresses_(std::move(addresses)),
      events_(std::move(events)) {
  timer_.bind<&RestFeed::poll>(this);
  context_.loop.arm(timer_, Nanoseconds(0));
}

// A server answers "not modified" by its version alone: a new name needs an answer whatever the version is.
void RestFeed::want(ResourceType, const std::set<std::string>& names) {
  if (names_ == names) {
    return;
  }
  if (!std::ranges::includes(names_, names)) {
    version_.clear();
    answer_.reset();
    again_ = pending_ != nullptr;
    if (!again_) {
      context_.loop.arm(timer_, Nanoseconds(0));
    }
  }
  names_ = names;
}

// Half of the delay again at most, so that proxies do not ask in step.
void RestFeed::schedule() {
  const Nanoseconds delay(source_.refresh_delay);
  if (std::exchange(again_, false)) {
    context_.loop.arm(timer_, Nanoseconds(0));
    return;
  }
  const auto jitter = static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(delay.count() / 2)));
  context_.loop.arm(timer_, delay + Nanoseconds(jitter));
}

std::string RestFeed::body() const {
  envoy::service::discovery::v3::DiscoveryRequest request;
  request.mutable_node()->ParseFromString(node_);
  request.set_type_url(std::string(type_url(type_)));
  request.set_version_info(version_);
  request.mutable_resource_names()->Assign(names_.begin(), names_.end());
  if (!error_.empty()) {
    request.mutable_error_detail()->set_code(3);  // INVALID_ARGUMENT
    request.mutable_error_detail()->set_message(error_);
  }
  google::protobuf::Any any;
  any.PackFrom(request);
  return xds::to_json(any);
}

void RestFeed::poll() {
  if (!all_ && names_.empty()) {
    return;  // until somebody wants something
  }
  auto known = addresses_();
  if (!known) {
    context_.loop.arm(timer_, kLookAgain);
    return;
  }
  std::vector<Address> addresses = std::move(*known);
  if (addresses.empty()) {
    note_failure("no address of it is known yet");
    schedule();
    return;
  }
  if (client_ == nullptr || used_ != addresses) {
    consul::ClientOptions options;
    options.called = "the control plane";
    for (const Address& address : addresses) {
      consul::Agent agent;
      agent.address = address;
      agent.authority = source_.clusters.at(0);
      options.agents.push_back(std::move(agent));
    }
    client_ = std::make_unique<consul::Client>(context_, network_, std::move(options));
    used_ = std::move(addresses);
  }
  facts_.address = used_[0].to_string();
  ++facts_.streams;
  pending_ = client_->start({.method = "POST",
                             .path = std::string(kPaths[static_cast<std::size_t>(type_)]),
                             .body = body(),
                             .timeout = source_.request_timeout},
                            [this](auto outcome) { on_answer(std::move(outcome)); });
}

void RestFeed::on_answer(std::expected<consul::Answer, consul::Failure> outcome) {
  pending_.reset();
  if (outcome) {
    take(outcome->body);
  } else if (outcome.error().status == kNotModified) {
    note_success();
  } else {
    note_failure(outcome.error().words);
  }
  schedule();
}

void RestFeed::take(const std::string& body) {
  const std::size_t hash = std::hash<std::string>()(body);
  if (hash == answer_ && !again_) {
    note_success();  // it is known, and what is wrong with it was said
    return;
  }
  auto response = read_text_response(body, "response", type_);
  if (!response) {
    note_failure(response.error().message);
    return;
  }
  note_success();
  const auto rejections = events_.apply(response->update, response->rejections);
  error_ = describe(type_, rejections);
  ++(rejections.empty() ? facts_.acks : facts_.nacks);
  if (!again_) {  // else it was the answer to another question
    answer_ = hash;
    version_ = rejections.empty() ? response->update.version : version_;
  }
}

void RestFeed::note_success() {
  facts_.connected = true;
  facts_.last_error.clear();
}

void RestFeed::note_failure(const std::string& words) {
  ++facts_.failures;
  facts_.connected = false;
  if (words != facts_.last_error) {
    events_.log(LogLevel::warn, fmt::format("REST {}: {}; the last good configuration goes on",
                                            kPaths[static_cast<std::size_t>(type_)], words));
  }
  facts_.last_error = words;
  if (events_.failed) {
    events_.failed();
  }
}

}  // namespace remora::sources
