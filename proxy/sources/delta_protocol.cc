// Delta: requests say what is wanted more and less, responses what changed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/sources/xds_protocol.h"

namespace remora::sources {
namespace {

namespace discovery_v3 = envoy::service::discovery::v3;

class DeltaProtocol final : public XdsProtocol {
 public:
  explicit DeltaProtocol(XdsNode node) : node_(std::move(node)) {}

  void want_all(ResourceType type) override { of(type).all = true; }
  void want(ResourceType type, const std::set<std::string>& names) override { of(type).names = names; }
  void have(ResourceType type, const std::string& name, const std::string& version) override {
    of(type).versions[name] = version;
  }

  void reopen() override {
    node_sent_ = false;
    for (TypeState& state : types_) {
      state.begun = false;
      state.told.clear();
      state.answers.clear();
      state.pending_nonce.clear();
    }
  }

  std::vector<std::string> take_requests() override {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < kResourceTypes; ++i) {
      collect(static_cast<ResourceType>(i), types_[i], result);
    }
    return result;
  }

  Result<std::optional<ResourceUpdate>> receive(std::string_view message) override {
    discovery_v3::DeltaDiscoveryResponse response;
    if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return fail("a message that is no DeltaDiscoveryResponse");
    }
    const auto type = type_of_url(response.type_url());
    if (!type || !of(*type).begun) {
      return std::nullopt;
    }
    of(*type).pending_nonce = response.nonce();
    ResourceUpdate update{*type, response.system_version_info(), {}, {}, false};
    for (const discovery_v3::Resource& resource : response.resources()) {
      if (resource.has_resource()) {  // else it only prolongs a time to live
        update.set.push_back({resource.name(), resource.version(), resource.resource()});
      }
    }
    update.removed.assign(response.removed_resources().begin(), response.removed_resources().end());
    return update;
  }

  // What was rejected keeps the version that we have: the next stream's server sees that we lack its own.
  void answer(const ResourceUpdate& update, const std::vector<Rejection>& rejections) override {
    TypeState& state = of(update.type);
    for (const Resource& resource : update.set) {
      if (std::ranges::find(rejections, resource.name, &Rejection::name) == rejections.end()) {
        state.versions[resource.name] = resource.version;
      }
    }
    for (const std::string& name : update.removed) {
      state.versions.erase(name);
    }
    state.answers.push_back({std::exchange(state.pending_nonce, {}),
                             rejections.empty() ? std::string() : describe(update.type, rejections)});
  }

 private:
  struct Answer {
    std::string nonce;
    std::string error;
  };
  struct TypeState {
    bool all = false;
    std::set<std::string> names;                  // wanted
    std::set<std::string> told;                   // that this stream's server knows of
    std::map<std::string, std::string> versions;  // accepted
    bool begun = false;                           // the first request was sent on this stream
    std::string pending_nonce;
    std::deque<Answer> answers;
  };

  TypeState& of(ResourceType type) { return types_[static_cast<std::size_t>(type)]; }

  // Answers first; what is wanted more or less goes with the last of them, or alone.
  void collect(ResourceType type, TypeState& state, std::vector<std::string>& out) {
    while (!state.answers.empty()) {
      discovery_v3::DeltaDiscoveryRequest request;
      request.set_response_nonce(state.answers.front().nonce);
      if (!state.answers.front().error.empty()) {
        request.mutable_error_detail()->set_code(3);  // INVALID_ARGUMENT
        request.mutable_error_detail()->set_message(state.answers.front().error);
      }
      state.answers.pop_front();
      if (state.answers.empty()) {
        subscribe(state, request);
      }
      finish(type, request, out);
    }
    if (!state.begun ? state.all || !state.names.empty() : state.told != state.names) {
      discovery_v3::DeltaDiscoveryRequest request;
      subscribe(state, request);
      finish(type, request, out);
    }
  }

  void subscribe(TypeState& state, discovery_v3::DeltaDiscoveryRequest& request) {
    for (const std::string& name : state.names) {
      if (!state.told.contains(name)) {
        request.add_resource_names_subscribe(name);
      }
    }
    for (const std::string& name : state.told) {
      if (!state.names.contains(name)) {
        request.add_resource_names_unsubscribe(name);
        state.versions.erase(name);
      }
    }
    state.told = state.names;
    if (!state.begun) {
      for (const auto& [name, version] : state.versions) {
        if (state.all || state.names.contains(name)) {
          (*request.mutable_initial_resource_versions())[name] = version;
        }
      }
      state.begun = true;
    }
  }

  void finish(ResourceType type, discovery_v3::DeltaDiscoveryRequest& request, std::vector<std::string>& out) {
    request.set_type_url(std::string(type_url(type)));
    if (!node_sent_ || !node_.first_message_only) {
      request.mutable_node()->ParseFromString(node_.bytes);
      node_sent_ = true;
    }
    out.push_back(request.SerializeAsString());
  }

  const XdsNode node_;
  bool node_sent_ = false;
  std::array<TypeState, kResourceTypes> types_;
};

}  // namespace

std::unique_ptr<XdsProtocol> make_delta_protocol(XdsNode node) {
  return std::make_unique<DeltaProtocol>(std::move(node));
}

}  // namespace remora::sources
