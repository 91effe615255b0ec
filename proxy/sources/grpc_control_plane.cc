#include "proxy/sources/grpc_control_plane.h"

namespace remora::sources {

GrpcControlPlane::GrpcControlPlane(const net::ConnectionContext& context, net::Network& network, Addresses addresses,
                                   grpc::ChannelOptions options)
    : context_(context), network_(network), addresses_(std::move(addresses)), options_(std::move(options)) {}

std::unique_ptr<grpc::Stream> GrpcControlPlane::open(std::string_view path, const grpc::Metadata& metadata,
                                                     grpc::StreamEvents& events, std::string& why) {
  const std::vector<Address> addresses = addresses_().value_or(std::vector<Address>());
  if (addresses.empty()) {
    channel_.reset();
    why = "no address of it is known yet";
    return nullptr;
  }
  const Address& to = addresses[index_ % addresses.size()];
  if (channel_ == nullptr || channel_->address() != to) {
    channel_ = std::make_unique<grpc::Channel>(context_, network_, to, options_);
  }
  return channel_->open(path, metadata, events);
}

}  // namespace remora::sources
