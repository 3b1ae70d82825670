// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/archive_command.h"

#include <unistd.h>

#include <string>

#include "core/link/link_limits.h"
#include "guest/agent/archive_reader.h"
#include "guest/agent/archive_writer.h"

namespace vcd::guest {

using ::vcd::agent::v1::Command;

Outcome CheckArchiveCommand(const Command& command) {
  const std::string& path = command.archive().path();
  if (!command.args().empty()) return Invalid("the command has a program and an archive: only one of them can be");
  if (command.terminal()) return Invalid("an archive does not go over a terminal");
  if (path.empty() || path[0] != '/') return Invalid("the path \"" + path + "\" is not absolute");
  if (path.find('\0') != std::string::npos) return Invalid("the path has a zero byte in it");
  return Outcome();
}

void RunArchiveCommand(const Command::Archive& archive) {
  Outcome outcome;
  if (archive.write()) {
    UnpackOptions options;
    options.keep_owner = archive.keep_owner();
    outcome = UnpackArchive(archive.path(), options, STDIN_FILENO);
  } else {
    PackOptions options;
    options.follow_symlink = archive.follow_symlink();
    options.stat_only = archive.stat_only();
    outcome = PackArchive(archive.path(), options, STDOUT_FILENO);
  }
  if (outcome.ok()) ::_exit(0);
  (void)!::write(STDERR_FILENO, outcome.message().data(), outcome.message().size());
  switch (outcome.code()) {
    case ErrorCode::ERROR_CODE_NOT_FOUND:
      ::_exit(kArchivePathNotFound);
    case ErrorCode::ERROR_CODE_INVALID:
      ::_exit(kArchiveInvalid);
    default:
      ::_exit(kArchiveFailed);
  }
}

}  // namespace vcd::guest
