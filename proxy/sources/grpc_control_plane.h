// GrpcControlPlane: the addresses of the clusters that serve configuration, one channel at a time. Owned by an
// XdsClient; main thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/grpc/channel.h"
#include "core/net/connection.h"
#include "core/net/network.h"
#include "proxy/sources/xds_client.h"

namespace remora::sources {

class GrpcControlPlane final : public ControlPlane {
 public:
  // In order of preference, as known now. None: they are being looked for, for the first time.
  using Addresses = std::function<std::optional<std::vector<Address>>()>;

  GrpcControlPlane(const net::ConnectionContext& context, net::Network& network, Addresses addresses,
                   grpc::ChannelOptions options);

  std::unique_ptr<grpc::Stream> open(std::string_view path, const grpc::Metadata& metadata, grpc::StreamEvents& events,
                                     std::string& why) override;
  bool waiting() const override { return !addresses_().has_value(); }
  void next() override { ++index_; }
  bool connected() const override { return channel_ != nullptr && channel_->connected(); }
  std::string address() const override { return channel_ == nullptr ? std::string() : channel_->address().to_string(); }

 private:
  const net::ConnectionContext context_;
  net::Network& network_;
  const Addresses addresses_;
  const grpc::ChannelOptions options_;
  std::size_t index_ = 0;
  std::unique_ptr<grpc::Channel> channel_;
};

}  // namespace remora::sources
