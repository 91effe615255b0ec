#include "control/commands.h"

#include <array>

namespace remora::control {

std::span<const Command* const> commands() {
  static constexpr std::array kCommands = {&kServeCommand, &kCheckCommand,          &kExplainCommand,
                                           &kDiffCommand,  &kEnvoyBootstrapCommand, &kCompletionCommand};
  return kCommands;
}

}  // namespace remora::control
