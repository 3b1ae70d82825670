// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/file_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/os/unique_fd.h"

namespace vcd::guest {

std::string ReadFileOrEmpty(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // Not to hang on a fifo of that name.
  std::string content;
  char chunk[4096];
  while (fd.valid() && content.size() < limit) {
    const ssize_t got = ::read(fd.get(), chunk, std::min(sizeof(chunk), limit - content.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    content.append(chunk, static_cast<size_t>(got));
  }
  return content;
}

Outcome WriteFile(const std::string& path, std::string_view content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return SystemFailure("open " + path);
  if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return SystemFailure("write " + path);
  }
  return Outcome();
}

Outcome MakeDirectories(const std::string& path, mode_t mode) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      const int error = errno;
      struct stat info {};
      // A read-only file system says so even of a directory that is there.
      if (::stat(part.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return SystemFailure("make " + part, error);
    }
    if (slash == std::string::npos) break;
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return SystemFailure("make " + path);
  if (!S_ISDIR(info.st_mode)) return SystemFailure("make " + path, ENOTDIR);
  return Outcome();
}

std::vector<std::string> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  DIR* const directory = ::opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(directory);
  return names;
}

std::string ReadLine(const std::string& path) {
  std::string line = ReadFileOrEmpty(path, 4096);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ' || line.back() == '\0')) line.pop_back();
  return line;
}

}  // namespace vcd::guest
