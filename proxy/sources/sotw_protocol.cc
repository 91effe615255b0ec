// State of the world: each request names all that is wanted; each response of clusters or listeners is all that is.
#include <fmt/format.h>

#include <array>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/sources/xds_protocol.h"

namespace remora::sources {
namespace {

namespace discovery_v3 = envoy::service::discovery::v3;

class SotwProtocol final : public XdsProtocol {
 public:
  explicit SotwProtocol(XdsNode node) : node_(std::move(node)) {}

  void want_all(ResourceType type) override {
    TypeState& state = of(type);
    state.due = state.due || !state.wanted;
    state.wanted = true;
  }

  void want(ResourceType type, const std::set<std::string>& names) override {
    TypeState& state = of(type);
    if (state.names == names) {
      return;
    }
    state.names = names;
    // Before the first name nothing is asked for; after the last one, an empty list says so.
    state.wanted = state.wanted || !names.empty();
    state.due = state.wanted;
  }

  void have(ResourceType, const std::string&, const std::string&) override {}  // there is no place to say it

  void reopen() override {
    node_sent_ = false;
    for (TypeState& state : types_) {
      state.nonce.clear();
      state.error.clear();
      state.wanted = state.wanted && (state.names.has_value() ? !state.names->empty() : true);
      state.due = state.wanted;
    }
  }

  std::vector<std::string> take_requests() override {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < kResourceTypes; ++i) {
      if (types_[i].due) {
        types_[i].due = false;
        result.push_back(request(static_cast<ResourceType>(i), types_[i]));
      }
    }
    return result;
  }

  Result<std::optional<ResourceUpdate>> receive(std::string_view message) override {
    discovery_v3::DiscoveryResponse response;
    if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return fail("a message that is no DiscoveryResponse");
    }
    const auto type = type_of_url(response.type_url());
    if (!type || !of(*type).wanted) {
      return std::nullopt;
    }
    of(*type).nonce = response.nonce();
    ResourceUpdate update{*type, response.version_info(), {}, {}, false};
    update.whole = *type == ResourceType::cluster || *type == ResourceType::listener;
    for (const google::protobuf::Any& any : response.resources()) {
      update.set.push_back(unwrap(any, response.version_info()));
    }
    return update;
  }

  void answer(const ResourceUpdate& update, const std::vector<Rejection>& rejections) override {
    TypeState& state = of(update.type);
    if (rejections.empty()) {
      state.version = update.version;
    } else {
      state.error = describe(update.type, rejections);
    }
    state.due = true;
  }

 private:
  struct TypeState {
    bool wanted = false;
    std::optional<std::set<std::string>> names;  // none: all of them
    std::string version;                         // accepted
    std::string nonce;                           // of this stream's last response
    std::string error;                           // of that response
    bool due = false;
  };

  TypeState& of(ResourceType type) { return types_[static_cast<std::size_t>(type)]; }

  std::string request(ResourceType type, TypeState& state) {
    discovery_v3::DiscoveryRequest request;
    if (!node_sent_ || !node_.first_message_only) {
      request.mutable_node()->ParseFromString(node_.bytes);
      node_sent_ = true;
    }
    request.set_type_url(std::string(type_url(type)));
    request.set_version_info(state.version);
    request.set_response_nonce(state.nonce);
    if (state.names) {
      request.mutable_resource_names()->Assign(state.names->begin(), state.names->end());
    }
    if (!state.error.empty()) {
      request.mutable_error_detail()->set_code(3);  // INVALID_ARGUMENT
      request.mutable_error_detail()->set_message(std::exchange(state.error, {}));
    }
    return request.SerializeAsString();
  }

  const XdsNode node_;
  bool node_sent_ = false;
  std::array<TypeState, kResourceTypes> types_;
};

}  // namespace

std::unique_ptr<XdsProtocol> make_sotw_protocol(XdsNode node) {
  return std::make_unique<SotwProtocol>(std::move(node));
}

}  // namespace remora::sources
