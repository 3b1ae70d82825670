// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMAND_H_
#define VCD_CLIENT_COMMAND_H_

#include <memory>
#include <string>
#include <vector>

#include "client/arguments.h"
#include "client/invocation.h"

namespace vcd::client {

// A verb of vc. Used once: Declare, then, when the command line names it, Run.
class Command {
 public:
  virtual ~Command() = default;

  virtual std::string name() const = 0;
  // The word before its name, of verbs that come in a group: `container` of `vc container stop`. Empty for the others.
  virtual std::string group() const { return ""; }
  // One line that says what it does.
  virtual std::string summary() const = 0;
  // Names options, positional words and an example.
  virtual void Declare(Arguments* arguments) = 0;
  // Does it and returns the exit status. Blocks.
  virtual int Run(Invocation& invocation) = 0;
  // What a wrong command line ends with. Verbs that pass on the exit code of a command say 125, as 2 may be its own.
  virtual int usage_exit_code() const { return kUsageError; }
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMAND_H_
