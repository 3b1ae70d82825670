// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_paths.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <string_view>

namespace vcd::guest {
namespace {

// The kernel's own limit of symbolic links; here also of entries that others make meanwhile.
constexpr int kMaxLinks = 40;

enum class Wanted { kDirectory, kFile };

// Puts the components of `path` before those that are in `rest`.
void Prepend(std::string_view path, std::deque<std::string>* rest) {
  while (!path.empty()) {
    const size_t slash = path.rfind('/');
    const std::string_view name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    if (!name.empty() && name != ".") rest->emplace_front(name);
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
}

// The target of the symbolic link `name` in `directory`; empty if it is none.
std::string ReadLink(const UniqueFd& directory, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(directory.get(), name.c_str(), target, sizeof(target));
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : "";
}

bool MakeEntry(const UniqueFd& directory, const std::string& name, Wanted wanted) {
  if (wanted == Wanted::kDirectory) return ::mkdirat(directory.get(), name.c_str(), 0755) == 0;
  return UniqueFd(::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)).valid();
}

OutcomeOr<UniqueFd> Make(const std::string& path, Wanted wanted) {
  const auto failure = [&path] { return SystemFailure("make " + path + " in the container's root file system"); };
  std::deque<std::string> rest;
  Prepend(path, &rest);
  std::string done;
  int links = 0;
  while (!rest.empty()) {
    const std::string name = rest.front();
    rest.pop_front();
    const std::string next = done + "/" + name;
    const Wanted here = rest.empty() ? wanted : Wanted::kDirectory;
    const int flags = O_PATH | (here == Wanted::kDirectory ? O_DIRECTORY : 0);
    if (OpenInContainer(next, flags).valid()) {
      done = next;
      continue;
    }
    if (errno != ENOENT) return failure();
    const UniqueFd parent = OpenInContainer(done + "/", O_PATH | O_DIRECTORY);
    if (!parent.valid()) return failure();
    if (const std::string target = ReadLink(parent, name); !target.empty()) {
      if (++links > kMaxLinks) {
        errno = ELOOP;
        return failure();
      }
      if (target[0] == '/') done.clear();
      Prepend(target, &rest);
      continue;
    }
    if (!MakeEntry(parent, name, here)) {
      // Another guest that shares the directory has made it just now: it is looked at like one that was there.
      if (errno != EEXIST || ++links > kMaxLinks) return failure();
      rest.push_front(name);
      continue;
    }
    done = next;
  }
  UniqueFd made = OpenInContainer(done + (wanted == Wanted::kDirectory ? "/" : ""), O_PATH);
  if (!made.valid()) return failure();
  return made;
}

}  // namespace

UniqueFd OpenInContainer(const std::string& path, int flags) {
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return UniqueFd();
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
}

OutcomeOr<UniqueFd> MakeDirectoryInContainer(const std::string& path) { return Make(path, Wanted::kDirectory); }

OutcomeOr<UniqueFd> MakeFileInContainer(const std::string& path) { return Make(path, Wanted::kFile); }

}  // namespace vcd::guest
