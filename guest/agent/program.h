// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_PROGRAM_H_
#define VCD_GUEST_AGENT_PROGRAM_H_

#include <string>
#include <vector>

#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// The environment of a program.
struct Environment {
  std::vector<std::string> entries;  // "NAME=value".
  std::string path;                  // Its PATH.
};

// What `command` says, and a PATH and a HOME where it says none.
Environment MakeEnvironment(const ::vcd::agent::v1::Command& command, const std::string& home);

// Arguments and environment in the form of execve(2), ready before the process is restricted.
class ProgramImage {
 public:
  ProgramImage(std::string file, const ::vcd::agent::v1::Command& command, std::vector<std::string> environment);
  ProgramImage(const ProgramImage&) = delete;
  ProgramImage& operator=(const ProgramImage&) = delete;

  // execve(2). Returns only to tell why it failed.
  Outcome Execute();

 private:
  const std::string file_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argument_pointers_;
  std::vector<char*> environment_pointers_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_PROGRAM_H_
