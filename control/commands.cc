#include "control/commands.h"

#include <array>

namespace remora::control {

std::span<const Command* const> commands() {
  static constexpr std::array<const Command*, 2> kCommands = {&kCheckCommand, &kCompletionCommand};
  return kCommands;
}

}  // namespace remora::control
