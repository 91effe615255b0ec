#include "control/server/ads_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/server/ads_server.h"
#include "control/server/node_json.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace remora::control {

namespace discovery_v3 = envoy::service::discovery::v3;

namespace {

// A slow client's queue: above it nothing is assembled for it.
constexpr std::size_t kMostQueued = 256 * 1024;
// A client that does not ask for a new cluster's endpoints gets the rest all the same.
constexpr Nanoseconds kMostWarming = Seconds(5);

std::span<const std::string> span_of(const google::protobuf::RepeatedPtrField<std::string>& names,
                                     std::vector<std::string>& room) {
  room.assign(names.begin(), names.end());
  return room;
}

}  // namespace

AdsStream::AdsStream(AdsServer& server, std::uint64_t id, Kind kind, std::string peer,
                     std::unique_ptr<grpc::Stream> stream)
    : server_(server),
      id_(id),
      kind_(kind),
      peer_(std::move(peer)),
      since_(server.loop().wall_now()),
      stream_(std::move(stream)) {
  warming_timer_.bind<&AdsStream::on_warming_over>(this);
  talks_.reserve(kTypes);
  for (const Type type : kAllTypes) {
    talks_.emplace_back(type);
  }
}

// ---- what comes

void AdsStream::on_message(std::string_view message) {
  if (stream_ == nullptr) {
    return;
  }
  ++server_.counters().requests;
  if (kind_.delta) {
    on_delta(message);
  } else {
    on_state_of_the_world(message);
  }
}

void AdsStream::refuse(const std::string& words) {
  server_.log(fmt::format("refused a discovery stream of {}: {}", peer_, words));
  stream_->finish({grpc::Code::invalid_argument, words});
  stream_ = nullptr;
  server_.gone(*this);
}

template <typename Request>
bool AdsStream::read_node(const Request& request) {
  if (node_) {
    return true;  // only the first request needs to carry it
  }
  if (request.node().id().empty()) {
    refuse("the first request of a stream must carry node.id");
    return false;
  }
  node_ = node_of(request.node());
  resources_ = server_.resources_for(*node_);
  return true;
}

template <typename Request>
std::optional<Type> AdsStream::read_type(const Request& request) {
  if (request.type_url().empty() && kind_.only) {
    return kind_.only;
  }
  const auto type = type_of_url(request.type_url());
  if (kind_.only && type != kind_.only) {
    refuse(fmt::format("type_url is '{}' on a service for {}", request.type_url(), type_url(*kind_.only)));
    return {};
  }
  if (!type) {
    server_.note_unknown_type(*node_, request.type_url());
  }
  return type;
}

template <typename Request>
bool AdsStream::read_nonce(const Request& request, Talk& talk, bool& repeated) {
  Exchanged& exchanged = talk.exchanged;
  const std::string& nonce = request.response_nonce();
  if (nonce.empty() || exchanged.nonce.empty()) {
    return true;  // a subscription, or (when we sent nothing yet) the nonce of a stream before this one
  }
  const bool current = nonce == exchanged.nonce;
  if (request.has_error_detail()) {
    ++exchanged.nacks;
    ++server_.counters().nacks;
    exchanged.nack_reason = request.error_detail().message();
    exchanged.nacked_version = current ? exchanged.version : std::string("one before ") + exchanged.version;
    exchanged.nacked_at = server_.loop().wall_now();
    exchanged.awaiting = exchanged.awaiting && !current;
    server_.log(fmt::format("node {} refused {} of version {}: {}", node_->id, type_name(talk.wanted.type()),
                            exchanged.nacked_version, exchanged.nack_reason));
    return current;
  }
  if (!current) {
    return false;
  }
  repeated = !exchanged.awaiting;
  if (exchanged.awaiting) {
    exchanged.awaiting = false;
    ++exchanged.acks;
    ++server_.counters().acks;
    exchanged.acked_version = exchanged.version;
    exchanged.acked_at = server_.loop().wall_now();
  }
  return true;
}

void AdsStream::on_state_of_the_world(std::string_view message) {
  discovery_v3::DiscoveryRequest request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    refuse("the message is no envoy.service.discovery.v3.DiscoveryRequest");
    return;
  }
  if (!read_node(request)) {
    return;
  }
  const auto type = read_type(request);
  if (!type) {
    return;
  }
  Talk& asked = talk(*type);
  bool repeated = false;
  if (!read_nonce(request, asked, repeated)) {
    return;  // it will ask again, in answer to what is under way
  }
  const bool first = !asked.wanted.started();
  returns_ = returns_ || (first && !request.version_info().empty());
  std::vector<std::string> room;
  const bool differs = asked.wanted.replace(span_of(request.resource_names(), room));
  if (first && !request.version_info().empty() && resources_ != nullptr && !resources_->withheld &&
      request.version_info() == version_text(asked.wanted.version(*resources_->of(*type)))) {
    asked.wanted.claim_all(*resources_->of(*type));  // it comes back with all that there is
    asked.exchanged.version = asked.exchanged.acked_version = request.version_info();
    for (const auto& [name, hash] : asked.wanted.known()) {
      asked.sent.emplace(name, resources_->of(*type)->share(name));
    }
  } else if (repeated && !differs && !request.has_error_detail()) {
    asked.wanted.all_again();  // Envoy asks like this when it made a cluster anew and wants its endpoints
  }
  asked.looked_at = nullptr;
  pump();
}

void AdsStream::on_delta(std::string_view message) {
  discovery_v3::DeltaDiscoveryRequest request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    refuse("the message is no envoy.service.discovery.v3.DeltaDiscoveryRequest");
    return;
  }
  if (!read_node(request)) {
    return;
  }
  const auto type = read_type(request);
  if (!type) {
    return;
  }
  Talk& asked = talk(*type);
  bool repeated = false;
  read_nonce(request, asked, repeated);  // subscriptions hold whatever nonce they come with
  if (!asked.wanted.started()) {
    returns_ = returns_ || request.initial_resource_versions_size() > 0;
    for (const auto& [name, version] : request.initial_resource_versions()) {
      asked.wanted.claim(name, version);
    }
  }
  std::vector<std::string> room;
  if (!asked.wanted.started() || request.resource_names_subscribe_size() > 0) {
    asked.wanted.subscribe(span_of(request.resource_names_subscribe(), room));
    asked.looked_at = nullptr;
  }
  if (request.resource_names_unsubscribe_size() > 0) {
    asked.wanted.unsubscribe(span_of(request.resource_names_unsubscribe(), room));
    asked.looked_at = nullptr;
  }
  pump();
}

void AdsStream::on_half_closed() {
  stream_->finish({});
  stream_ = nullptr;
  server_.gone(*this);
}

void AdsStream::on_writable() { pump(); }

void AdsStream::on_closed(const grpc::Status&) {
  stream_ = nullptr;
  server_.gone(*this);
}

// ---- what goes

void AdsStream::refresh() {
  if (!node_ || stream_ == nullptr) {
    return;
  }
  auto now = server_.resources_for(*node_);
  if (now != resources_) {
    resources_ = std::move(now);
    pump();
  }
}

bool AdsStream::may_send() const { return stream_ != nullptr && stream_->queued_bytes() <= kMostQueued; }

// What is due follows from what is wanted, known and there: so it may stop anywhere and begin anew later.
void AdsStream::pump() {
  if (resources_ == nullptr || (resources_->withheld && returns_) || stream_ == nullptr) {
    return;
  }
  for (const Type type : kAllTypes) {
    if (!may_send()) {
      return;  // on_writable goes on
    }
    if (type == Type::listener && warming()) {
      return;  // the request for endpoints goes on
    }
    send_changed(type);
  }
  // Who refers goes before what is referred to.
  for (const Type type : {Type::listener, Type::route, Type::secret, Type::endpoint, Type::cluster}) {
    if (!may_send()) {
      return;
    }
    send_removed(type);
    talk(type).looked_at = resources_->of(type);
  }
}

void AdsStream::send_changed(Type type) {
  Talk& to = talk(type);
  const ResourceSetPtr& set = resources_->of(type);
  if (!to.wanted.started() || to.looked_at == set) {
    return;
  }
  const Subscription::Diff diff = to.wanted.diff(*set);
  if (diff.changed.empty() && !to.wanted.owes_answer()) {
    return;
  }
  if (type == Type::cluster) {
    note_clusters(diff);
  }
  if (kind_.delta) {
    send_delta(to, diff, false);
  } else if (type == Type::cluster || type == Type::listener) {
    send_full(type, true);
  } else {
    send_part(to, diff);
  }
}

void AdsStream::send_removed(Type type) {
  Talk& to = talk(type);
  const ResourceSetPtr& set = resources_->of(type);
  if (!to.wanted.started() || to.looked_at == set) {
    return;
  }
  const Subscription::Diff diff = to.wanted.diff(*set);
  if (diff.removed.empty()) {
    return;
  }
  if (kind_.delta) {
    send_delta(to, diff, true);
    return;
  }
  const bool full = type == Type::cluster || type == Type::listener;
  const bool had = std::any_of(diff.removed.begin(), diff.removed.end(),
                               [&](const std::string& name) { return to.sent.contains(name); });
  for (const std::string& name : diff.removed) {
    to.wanted.told_missing(name);
  }
  if (full && had) {
    send_full(type, false);
  }
}

// Envoy uses a new cluster when it has the endpoints that it then asks for; a cluster that changed it makes anew, and
// waits for endpoints that it has already.
void AdsStream::note_clusters(const Subscription::Diff& clusters) {
  Talk& endpoints = talk(Type::endpoint);
  for (const Subscription::Item& item : clusters.changed) {
    const std::string& name = item.resource->endpoints_name;
    if (name.empty()) {
      continue;
    }
    if (item.update) {
      endpoints.wanted.again(name);
      endpoints.looked_at = nullptr;
    } else if (!kind_.only) {
      warming_.insert(name);
      server_.loop().arm(warming_timer_, kMostWarming);
    }
  }
}

bool AdsStream::warming() {
  const Subscription& wanted = talk(Type::endpoint).wanted;
  const ResourceSet& set = *resources_->of(Type::endpoint);
  std::erase_if(warming_, [&](const std::string& name) {
    return wanted.wants(name) && (wanted.known().contains(name) || set.find(name) == nullptr);
  });
  if (warming_.empty()) {
    warming_timer_.cancel();
  }
  return !warming_.empty();
}

void AdsStream::on_warming_over() {
  warming_.clear();
  pump();
}

std::string AdsStream::next_nonce() { return fmt::format("{:x}.{}", id_, ++nonces_); }

void AdsStream::after_response(Talk& to, std::string nonce, std::string version) {
  to.exchanged.nonce = std::move(nonce);
  to.exchanged.version = std::move(version);
  to.exchanged.awaiting = true;
  to.exchanged.sent_at = server_.loop().wall_now();
  ++to.exchanged.responses;
  to.wanted.answered();
  ++server_.counters().responses;
}

}  // namespace remora::control
