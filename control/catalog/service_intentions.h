// ServiceIntentions: the config entry `service-intentions`: who may call a destination, and how. A value; any thread.
// Source: Consul's structs.ServiceIntentionsConfigEntry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/catalog/common.h"
#include "control/catalog/http_match.h"

namespace remora::catalog {

enum class IntentionAction : std::uint8_t { deny, allow };

// Matches when each part that is written does; the first permission that matches decides, and if none does, deny.
struct Permission {
  Place place;
  IntentionAction action = IntentionAction::deny;
  PathMatch path;
  std::vector<std::string> methods;
  std::vector<ValueMatch> header;

  bool operator==(const Permission&) const = default;
};

struct IntentionSource {
  Place place;
  std::string name;                                // of a service; "*": all
  IntentionAction action = IntentionAction::deny;  // unless there are permissions
  std::vector<Permission> permissions;             // layer 7: of an HTTP service alone
  std::string description;
  // Consul's, 9 the highest: both exact 9, destination exact 8, source exact 6, neither 5.
  int precedence = 0;

  bool operator==(const IntentionSource&) const = default;
};

struct ServiceIntentions {
  EntryHead head;  // name: the destination; "*": all
  std::vector<IntentionSource> sources;

  bool operator==(const ServiceIntentions&) const = default;
};

}  // namespace remora::catalog
