// How AdsStream puts responses together: resources are serialised already, so they are copied into place.
#include <algorithm>
#include <utility>

#include "control/server/ads_server.h"
#include "control/server/ads_stream.h"
#include "control/server/wire.h"

namespace remora::control {
namespace {

// Delta and partial responses are cut into pieces of about this size: gRPC clients take 4 MiB by default.
constexpr std::size_t kPiece = std::size_t{2} << 20;

std::string control_plane(std::string_view identifier) {
  std::string out;
  WireWriter(out).text(1, identifier);
  return out;
}

}  // namespace

// All that the client wants of a type, as LDS and CDS must send it; `with_stale`: also what it has and is to lose, so
// that nothing which still refers to that breaks.
void AdsStream::send_full(Type type, bool with_stale) {
  Talk& to = talk(type);
  const ResourceSet& set = *resources_->of(type);
  ResourceSet::ByName listed;
  for (const auto& [name, resource] : set.all()) {
    if (to.wanted.wants(name)) {
      listed.emplace(name, resource);
    }
  }
  if (with_stale && type == Type::cluster) {
    for (const auto& [name, resource] : to.sent) {
      if (to.wanted.wants(name)) {
        listed.emplace(name, resource);
      }
    }
  }
  const std::string version = version_text(ResourceSet(listed).version());
  const std::string nonce = next_nonce();
  std::string out;
  WireWriter writer(out);
  writer.text(1, version);
  for (const auto& [name, resource] : listed) {
    writer.message(2, resource->any);
  }
  writer.text(4, type_url(type)).text(5, nonce).text(6, control_plane(server_.identifier()));
  stream_->send(out);
  for (const auto& [name, resource] : listed) {
    to.wanted.sent(name, resource->hash);
  }
  to.sent = std::move(listed);
  after_response(to, nonce, version);
}

// Only what changed, as EDS and RDS may.
void AdsStream::send_part(Talk& to, const Subscription::Diff& diff) {
  const std::string version = version_text(to.wanted.version(*resources_->of(to.wanted.type())));
  std::size_t next = 0;
  do {
    const std::string nonce = next_nonce();
    std::string out;
    WireWriter writer(out);
    writer.text(1, version);
    for (; next < diff.changed.size() && out.size() < kPiece; ++next) {
      const Subscription::Item& item = diff.changed[next];
      writer.message(2, item.resource->any);
      to.wanted.sent(item.name, item.resource->hash);
    }
    writer.text(4, type_url(to.wanted.type())).text(5, nonce).text(6, control_plane(server_.identifier()));
    stream_->send(out);
    after_response(to, nonce, version);
  } while (next < diff.changed.size());
}

void AdsStream::send_delta(Talk& to, const Subscription::Diff& diff, bool removals) {
  const std::string version = version_text(to.wanted.version(*resources_->of(to.wanted.type())));
  std::size_t next = 0;
  const std::size_t count = removals ? diff.removed.size() : diff.changed.size();
  do {
    const std::string nonce = next_nonce();
    std::string out;
    WireWriter writer(out);
    writer.text(1, version);
    for (; next < count && !removals && out.size() < kPiece; ++next) {
      const Subscription::Item& item = diff.changed[next];
      const std::string own = version_text(item.resource->hash);
      writer.begin(2, WireWriter::field_size(own.size()) + WireWriter::field_size(item.resource->any.size()) +
                          WireWriter::field_size(item.name.size()));
      writer.message(1, own).message(2, item.resource->any).message(3, item.name);
      to.wanted.sent(item.name, item.resource->hash);
    }
    writer.text(4, type_url(to.wanted.type())).text(5, nonce);
    for (; next < count && removals && out.size() < kPiece; ++next) {
      writer.message(6, diff.removed[next]);
      to.wanted.told_missing(diff.removed[next]);
    }
    writer.text(7, control_plane(server_.identifier()));
    stream_->send(out);
    after_response(to, nonce, version);
  } while (next < count);
}

}  // namespace remora::control
