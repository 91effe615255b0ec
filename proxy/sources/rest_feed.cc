#include "proxy/sources/rest_feed.h"

#include <fmt/format.h>

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

void RestFeed::want(ResourceType, const std::set<std::string>& names) {
  if (names_ != names) {
    names_ = names;
    if (pending_ == nullptr) {
      context_.loop.arm(timer_, Nanoseconds(0));
    }
  }
}

// Half of the delay again at most, so that proxies do not ask in step.
void RestFeed::schedule() {
  const Nanoseconds delay(source_.refresh_delay);
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
  std::vector<Address> addresses = addresses_();
  if (addresses.empty()) {
    fail("no address of it is known yet");
    return;
  }
  if (client_ == nullptr || used_ != addresses) {
    consul::ClientOptions options;
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
  if (!outcome && outcome.error().status == kNotModified) {
    facts_.connected = true;
    facts_.last_error.clear();
    schedule();
    return;
  }
  if (!outcome) {
    fail(outcome.error().words);
    return;
  }
  auto response = read_text_response(outcome->body, "response", type_);
  if (!response) {
    fail(response.error().message);
    return;
  }
  facts_.connected = true;
  facts_.last_error.clear();
  if (response->update.version != version_ || !error_.empty() || !all_) {
    const auto rejections = events_.apply(response->update, response->rejections);
    error_ = describe(type_, rejections);
    ++(rejections.empty() ? facts_.acks : facts_.nacks);
    version_ = rejections.empty() ? response->update.version : version_;
  }
  schedule();
}

void RestFeed::fail(const std::string& words) {
  ++facts_.failures;
  facts_.connected = false;
  if (words != facts_.last_error) {
    events_.log(LogLevel::warn, fmt::format("REST {}: {}; the last good configuration goes on",
                                            kPaths[static_cast<std::size_t>(type_)], words));
  }
  facts_.last_error = words;
  schedule();
  if (events_.failed) {
    events_.failed();
  }
}

}  // namespace remora::sources
