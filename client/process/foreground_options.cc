// SPDX-License-Identifier: Apache-2.0
#include "client/process/foreground_options.h"

#include <unistd.h>

#include <optional>

#include "client/posix/terminal.h"

namespace vcd::client {

void ForegroundOptions::Declare(Arguments* arguments) {
  arguments->Heading("Foreground");
  arguments->TextOrEmpty("--detach-keys", &detach_keys_, "KEYS",
                         "Keys that leave a process with a terminal alone (default: ctrl-p,ctrl-q; empty: none)");
  arguments->Flag("--no-sig-proxy", &no_sig_proxy_,
                  "Signals end vc and do not go to a process without a terminal, as they never do to one with");
  arguments->Heading("");
}

absl::Status AdoptTerminal(const Environment& environment, v1::Cmd* cmd) {
  if (!::isatty(environment.streams.in)) {
    return absl::InvalidArgumentError(
        "-t: standard input is no terminal; leave -t out, or with run add -d and attach later");
  }
  if (const auto extent = ExtentOfTerminal(environment.streams.in); extent && !cmd->has_terminal_size()) {
    cmd->mutable_terminal_size()->set_columns(extent->columns);
    cmd->mutable_terminal_size()->set_rows(extent->rows);
  }
  for (const v1::EnvVar& variable : cmd->envs()) {
    if (variable.name() == "TERM") return absl::OkStatus();
  }
  if (const std::optional<std::string> term = environment.variable("TERM"); term && !term->empty()) {
    v1::EnvVar* variable = cmd->add_envs();
    variable->set_name("TERM");
    variable->set_value(*term);
  }
  return absl::OkStatus();
}

}  // namespace vcd::client
