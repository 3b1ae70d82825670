// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/command_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vcd::guest {
namespace {

Outcome NotFound(const std::string& program, const std::string& where) {
  return Outcome(ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND, "the container has no program \"" + program + "\"" + where);
}

// OK if `file` is a program that the calling user may run.
Outcome CheckProgram(const std::string& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return NotFound(file, "");
    return Outcome(ErrorCode::ERROR_CODE_COMMAND_NOT_EXECUTABLE, "\"" + file + "\": " + std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return Outcome(ErrorCode::ERROR_CODE_COMMAND_NOT_EXECUTABLE,
                   "\"" + file + "\" is " + (S_ISDIR(info.st_mode) ? "a directory" : "no regular file"));
  }
  if (::faccessat(AT_FDCWD, file.c_str(), X_OK, AT_EACCESS) != 0) {
    return Outcome(ErrorCode::ERROR_CODE_COMMAND_NOT_EXECUTABLE,
                   "\"" + file + "\" is not executable by this user: " + std::strerror(errno));
  }
  return Outcome();
}

}  // namespace

OutcomeOr<std::string> FindCommand(const std::string& program, std::string_view path) {
  if (program.empty()) return Invalid("the command's first argument, its program, is empty");
  if (program.find('/') != std::string::npos) {
    if (Outcome checked = CheckProgram(program); !checked.ok()) return checked;
    return program;
  }
  Outcome refused;  // The first file of that name that may not be run.
  std::string_view rest = path;
  while (true) {
    const size_t colon = rest.find(':');
    const std::string_view directory = rest.substr(0, colon);
    const std::string file = (directory.empty() ? "." : std::string(directory)) + "/" + program;
    const Outcome checked = CheckProgram(file);
    if (checked.ok()) return file;
    if (refused.ok() && checked.code() != ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND) refused = checked;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (!refused.ok()) return refused;
  return NotFound(program, " in PATH=" + std::string(path));
}

}  // namespace vcd::guest
