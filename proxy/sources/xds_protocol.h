// XdsProtocol: the client's half of one discovery stream, without the stream: which requests are due, what a response
// says, what to answer. State of the world and delta implement it. What was accepted is remembered beyond the stream,
// so that the next one goes on from there. Owned by an XdsClient; main thread. Source: Envoy's xDS protocol
// documentation ("xDS REST and gRPC protocol"): ACK, NACK, nonces, initial versions.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "proxy/sources/resources.h"

namespace remora::sources {

struct XdsNode {
  std::string bytes;  // envoy.config.core.v3.Node
  bool first_message_only = false;
};

// Response text for people and logs is cut to this, so that a NACK of a thousand resources is no message of megabytes.
constexpr std::size_t kMaxErrorDetail = 8192;

class XdsProtocol {
 public:
  virtual ~XdsProtocol() = default;

  // All resources of the type, now and later.
  virtual void want_all(ResourceType type) = 0;
  // These and no others.
  virtual void want(ResourceType type, const std::set<std::string>& names) = 0;
  // Versions of resources that we have already, from the disk.
  virtual void have(ResourceType type, const std::string& name, const std::string& version) = 0;

  // A new stream: it knows nothing of us.
  virtual void reopen() = 0;
  // Messages that are due, in order; each is due once.
  virtual std::vector<std::string> take_requests() = 0;
  // What a message says; an error when it is none. An update of a type that nobody wants is empty: nothing to apply or
  // to answer.
  virtual Result<std::optional<ResourceUpdate>> receive(std::string_view message) = 0;
  // Answers what was just received: ACK, or NACK with the reasons.
  virtual void answer(const ResourceUpdate& update, const std::vector<Rejection>& rejections) = 0;
};

std::unique_ptr<XdsProtocol> make_sotw_protocol(XdsNode node);
std::unique_ptr<XdsProtocol> make_delta_protocol(XdsNode node);

// "listener 'x': filter_chains[0]: is required" for each, for error_detail.
std::string describe(ResourceType type, const std::vector<Rejection>& rejections);
std::string_view noun(ResourceType type);  // "cluster"
// A resource out of a state-of-the-world response: its name is inside, perhaps in a discovery.v3.Resource around it.
Resource unwrap(const google::protobuf::Any& any, const std::string& version);

}  // namespace remora::sources
