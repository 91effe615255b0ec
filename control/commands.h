// The commands of remora-control: one file each. A new one is declared here and listed in commands.cc. Constants.
#pragma once

#include "control/cli.h"

namespace remora::control {

extern const Command kServeCommand;           // serve.cc
extern const Command kCheckCommand;           // check.cc
extern const Command kExplainCommand;         // explain_command.cc
extern const Command kDiffCommand;            // diff_command.cc
extern const Command kEnvoyBootstrapCommand;  // envoy_bootstrap_command.cc
extern const Command kCompletionCommand;      // completion.cc

}  // namespace remora::control
