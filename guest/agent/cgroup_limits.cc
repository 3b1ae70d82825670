// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/cgroup_limits.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Resources;

bool StartsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

Outcome CheckName(const std::string& name) {
  bool good = !name.empty() && name.find('.') != std::string::npos && name[0] != '.';
  for (const char c : name) {
    good = good && (std::islower(static_cast<unsigned char>(c)) != 0 ||
                    std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_');
  }
  // Who is in the group, and how it is divided, is the agent's to say.
  return good && !StartsWith(name, "cgroup.") ? Outcome() : Invalid("\"" + name + "\" is no limit of a control group");
}

// As a shell's `echo >` does it. The kernel takes a value whole or not at all.
int Write(const std::string& path, std::string_view value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size()) ? 0 : errno;
}

Outcome Refused(const std::string& directory, const Resources::File& file, int error) {
  const std::string what = "set " + file.name() + " to \"" + file.value() + "\"";
  // What was asked for makes no sense to this kernel: a CPU that the machine does not have, a value out of range.
  if (error == EINVAL || error == ERANGE) return Invalid(SystemFailure(what, error).message());
  if (error != ENOENT) return SystemFailure(what, error);
  const std::string controllers = ReadLine(directory + "/cgroup.controllers");
  return Outcome(ErrorCode::ERROR_CODE_SYSTEM,
                 what + ": the guest's kernel has no such file; the controllers it has are: " +
                     (controllers.empty() ? "none" : controllers));
}

}  // namespace

std::string ValueToRestore(const std::string& name, const std::string& old, const std::string& written) {
  if (name != "io.max" && name != "io.latency") return old.empty() ? "\n" : old;
  const std::string device = written.substr(0, written.find(' ') + 1);
  for (size_t at = 0; at < old.size();) {
    const size_t end = std::min(old.find('\n', at), old.size());
    const std::string line = old.substr(at, end - at);
    if (StartsWith(line, device)) return line;
    at = end + 1;
  }
  return device + (name == "io.max" ? "rbps=max wbps=max riops=max wiops=max" : "target=0");
}

Outcome ApplyLimits(const std::string& directory, const Resources& resources) {
  for (const Resources::File& file : resources.files()) {
    if (Outcome checked = CheckName(file.name()); !checked.ok()) return checked;
  }
  std::vector<std::pair<std::string, std::string>> undo;  // Path, value.
  for (const Resources::File& file : resources.files()) {
    const std::string path = directory + "/" + file.name();
    const std::string old = ReadFileOrEmpty(path);
    const int error = Write(path, file.value());
    if (error == 0) {
      undo.emplace_back(path, ValueToRestore(file.name(), old, file.value()));
      continue;
    }
    if (error == ENOENT && file.optional()) continue;
    for (auto done = undo.rbegin(); done != undo.rend(); ++done) (void)Write(done->first, done->second);
    return Refused(directory, file, error);
  }
  return Outcome();
}

}  // namespace vcd::guest
