// The words of the catalog's enums, as Consul writes them. Constants; any thread.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "control/catalog/catalog.h"

namespace remora::catalog {

template <typename E>
using WordPair = std::pair<std::string_view, E>;

inline std::span<const WordPair<MeshGatewayMode>> words_of(MeshGatewayMode) {
  static constexpr std::array<WordPair<MeshGatewayMode>, 4> kWords = {{{"", MeshGatewayMode::unset},
                                                                       {"none", MeshGatewayMode::none},
                                                                       {"local", MeshGatewayMode::local},
                                                                       {"remote", MeshGatewayMode::remote}}};
  return kWords;
}

inline std::span<const WordPair<ProxyMode>> words_of(ProxyMode) {
  static constexpr std::array<WordPair<ProxyMode>, 3> kWords = {
      {{"", ProxyMode::unset}, {"direct", ProxyMode::direct}, {"transparent", ProxyMode::transparent}}};
  return kWords;
}

inline std::span<const WordPair<Health>> words_of(Health) {
  static constexpr std::array<WordPair<Health>, 3> kWords = {
      {{"passing", Health::passing}, {"warning", Health::warning}, {"critical", Health::critical}}};
  return kWords;
}

inline std::span<const WordPair<Upstream::DestinationType>> words_of(Upstream::DestinationType) {
  using Type = Upstream::DestinationType;
  static constexpr std::array<WordPair<Type>, 3> kWords = {
      {{"", Type::service}, {"service", Type::service}, {"prepared_query", Type::prepared_query}}};
  return kWords;
}

inline std::span<const WordPair<IntentionAction>> words_of(IntentionAction) {
  static constexpr std::array<WordPair<IntentionAction>, 2> kWords = {
      {{"allow", IntentionAction::allow}, {"deny", IntentionAction::deny}}};
  return kWords;
}

inline std::span<const WordPair<LoadBalancer::Policy>> words_of(LoadBalancer::Policy) {
  using Policy = LoadBalancer::Policy;
  static constexpr std::array<WordPair<Policy>, 6> kWords = {{{"", Policy::unset},
                                                              {"random", Policy::random},
                                                              {"round_robin", Policy::round_robin},
                                                              {"least_request", Policy::least_request},
                                                              {"ring_hash", Policy::ring_hash},
                                                              {"maglev", Policy::maglev}}};
  return kWords;
}

inline std::span<const WordPair<AccessLogs::Type>> words_of(AccessLogs::Type) {
  using Type = AccessLogs::Type;
  static constexpr std::array<WordPair<Type>, 4> kWords = {{{"", Type::standard_output},
                                                            {"stdout", Type::standard_output},
                                                            {"stderr", Type::standard_error},
                                                            {"file", Type::file}}};
  return kWords;
}

}  // namespace remora::catalog
