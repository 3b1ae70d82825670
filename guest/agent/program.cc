// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/program.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "guest/agent/command_path.h"

namespace vcd::guest {
namespace {

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& string : *strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// As the kernel counts: the strings, and a pointer to each.
size_t Bytes(const std::vector<std::string>& strings) {
  size_t bytes = 0;
  for (const std::string& string : strings) bytes += string.size() + 1 + sizeof(char*);
  return bytes;
}

// What execve(2) takes: a quarter of the stack limit, within bounds of its own.
size_t MostBytes() {
  constexpr size_t kLeast = size_t{128} << 10;
  constexpr size_t kMost = size_t{6} << 20;
  rlimit stack{};
  ::getrlimit(RLIMIT_STACK, &stack);
  return std::clamp<size_t>(stack.rlim_cur / 4, kLeast, kMost);
}

}  // namespace

Environment MakeEnvironment(const ::vcd::agent::v1::Command& command, const std::string& home) {
  Environment environment;
  environment.path = kDefaultPath;
  bool has_path = false;
  bool has_home = false;
  bool has_term = false;
  for (const auto& env : command.envs()) {
    if (env.name() == "PATH") {
      has_path = true;
      environment.path = env.value();
    }
    has_home = has_home || env.name() == "HOME";
    has_term = has_term || env.name() == "TERM";
    environment.entries.push_back(env.name() + "=" + env.value());
  }
  if (command.terminal() && !has_term) environment.entries.push_back("TERM=xterm");
  if (!has_path) environment.entries.push_back(std::string("PATH=") + kDefaultPath);
  if (!has_home) environment.entries.push_back("HOME=" + home);
  return environment;
}

ProgramImage::ProgramImage(std::string file, const ::vcd::agent::v1::Command& command,
                           std::vector<std::string> environment)
    : file_(std::move(file)),
      arguments_(command.args().begin(), command.args().end()),
      environment_(std::move(environment)),
      argument_pointers_(Pointers(&arguments_)),
      environment_pointers_(Pointers(&environment_)) {}

Outcome ProgramImage::Execute() {
  ::execve(file_.c_str(), argument_pointers_.data(), environment_pointers_.data());
  const int error = errno;
  const std::string message = "execute \"" + file_ + "\": " + std::strerror(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      // The file was there when it was looked up, so it is what the file needs that is missing.
      return Outcome(ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND, message + " (its interpreter or loader is missing)");
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case ELIBBAD:
    case EINVAL:
      return Outcome(ErrorCode::ERROR_CODE_COMMAND_NOT_EXECUTABLE, message);
    case E2BIG:
      return Invalid(message + ": arguments and environment have " +
                     std::to_string(Bytes(arguments_) + Bytes(environment_)) + " bytes, pointers included; at most " +
                     std::to_string(MostBytes()) + " are possible, a quarter of RLIMIT_STACK");
    default:
      return Outcome(ErrorCode::ERROR_CODE_SYSTEM, message);
  }
}

}  // namespace vcd::guest
