// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/modules.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/os/unique_fd.h"
#include "guest/agent/file_io.h"

namespace vcd::guest {

ModuleLoader::ModuleLoader(const std::string& list_path) {
  std::string rest = ReadFileOrEmpty(list_path);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string line = rest.substr(0, end);
    rest.erase(0, end == std::string::npos ? rest.size() : end + 1);
    const size_t space = line.find(' ');
    if (line.empty()) likely_ = modules_.size();
    if (space != std::string::npos) modules_.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  if (likely_ == 0) likely_ = modules_.size();
}

Outcome ModuleLoader::Ensure(const std::string& group) {
  Outcome first_failure;
  for (const auto& [module_group, file] : modules_) {
    if (module_group != group) continue;
    const Outcome loaded = Load(file);
    if (first_failure.ok()) first_failure = loaded;
  }
  return first_failure;
}

bool ModuleLoader::LoadNext() {
  while (next_ < likely_) {
    const std::string& file = modules_[next_++].second;
    if (loaded_.count(file) != 0) continue;
    (void)Load(file);  // Whoever needs it is told by Ensure's caller's next step.
    return true;
  }
  return false;
}

Outcome ModuleLoader::Load(const std::string& file) {
  if (!loaded_.insert(file).second) return Outcome();
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return SystemFailure("open the kernel module " + file);
  if (::syscall(SYS_finit_module, fd.get(), "", 0) != 0 && errno != EEXIST) {
    return SystemFailure("load the kernel module " + file);
  }
  return Outcome();
}

}  // namespace vcd::guest
