// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "guest/agent/file_io.h"

namespace vcd::guest {
namespace {

// "cpu memory" becomes "+cpu +memory" in `directory`'s list for its children. Best effort: without a controller there
// are no numbers and limits of that kind, but containers run.
void DelegateControllers(const std::string& directory) {
  std::string rest = ReadLine(directory + "/cgroup.controllers") + " ";
  for (size_t space = rest.find(' '); space != std::string::npos; space = rest.find(' ')) {
    if (space > 0) (void)WriteFile(directory + "/cgroup.subtree_control", "+" + rest.substr(0, space));
    rest.erase(0, space + 1);
  }
}

}  // namespace

std::string FindCgroupMount() {
  // Lines are "source target type options …"; no space can be in a field.
  std::string rest = ReadFileOrEmpty("/proc/self/mounts");
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string line = rest.substr(0, end);
    rest.erase(0, end == std::string::npos ? rest.size() : end + 1);
    const size_t target = line.find(' ');
    if (target == std::string::npos) continue;
    const size_t type = line.find(' ', target + 1);
    if (type == std::string::npos || line.compare(type, 9, " cgroup2 ") != 0) continue;
    return line.substr(target + 1, type - target - 1);
  }
  return "";
}

OutcomeOr<Cgroup> Cgroup::Create(const std::string& path) {
  const std::string parent = path.substr(0, path.rfind('/'));
  if (Outcome made = MakeDirectories(parent); !made.ok()) return made;
  DelegateControllers(parent.substr(0, parent.rfind('/')));
  DelegateControllers(parent);
  if (::mkdir(path.c_str(), 0755) != 0) return SystemFailure("make the control group " + path);
  Cgroup cgroup;
  cgroup.path_ = path;
  cgroup.fd_.Reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) return SystemFailure("open the control group " + path);
  return cgroup;
}

Cgroup& Cgroup::operator=(Cgroup&& other) noexcept {
  Remove();
  path_ = std::exchange(other.path_, std::string());
  fd_ = std::move(other.fd_);
  return *this;
}

Outcome Cgroup::Signal(int signal) const {
  if (!valid()) return Outcome();
  if (signal == SIGKILL && WriteFile(path_ + "/cgroup.kill", "1").ok()) return Outcome();
  for (const pid_t pid : Pids()) {
    if (::kill(pid, signal) != 0 && errno != ESRCH) {
      return SystemFailure("send signal " + std::to_string(signal) + " to process " + std::to_string(pid));
    }
  }
  return Outcome();
}

bool Cgroup::IsEmpty() const {
  return !valid() || ReadFileOrEmpty(path_ + "/cgroup.events").find("populated 0") != std::string::npos;
}

std::vector<pid_t> Cgroup::Pids() const {
  std::vector<pid_t> pids;
  if (!valid()) return pids;
  const std::string text = ReadFileOrEmpty(path_ + "/cgroup.procs");
  const char* at = text.c_str();
  char* end = nullptr;
  for (long pid = std::strtol(at, &end, 10); end != at; pid = std::strtol(at, &end, 10)) {
    at = end;
    if (pid > 0) pids.push_back(static_cast<pid_t>(pid));
  }
  return pids;
}

bool Cgroup::Remove() {
  if (path_.empty()) return true;
  if (::rmdir(path_.c_str()) != 0 && errno != ENOENT) return false;
  path_.clear();
  fd_.Reset();
  return true;
}

}  // namespace vcd::guest
