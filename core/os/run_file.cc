// SPDX-License-Identifier: Apache-2.0
#include "core/os/run_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Terminal control sequences and other bytes that would garble a log line go; line ends and bytes of UTF-8 stay.
std::string Printable(const std::string& text) {
  std::string printable;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == 0x1b && i + 1 < text.size() && text[i + 1] == '[') {
      i += 2;
      while (i < text.size() && !(text[i] >= 0x40 && text[i] <= 0x7e)) ++i;
    } else if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f)) {
      printable.push_back(static_cast<char>(c));
    }
  }
  return printable;
}

}  // namespace

absl::Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("remove ", path));
}

absl::StatusOr<UniqueFd> OpenLogFile(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file.valid()) return PosixError(errno, absl::StrCat("open ", path));
  return file;
}

std::string ReadLogTail(const std::string& path, size_t max_bytes) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (!file.valid() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  const off_t start = std::max<off_t>(0, info.st_size - static_cast<off_t>(max_bytes));
  std::string tail(max_bytes, '\0');
  const ssize_t got = pread(file.get(), &tail[0], tail.size(), start);
  if (got <= 0) return "";
  tail.resize(static_cast<size_t>(got));
  const size_t first_end = tail.find('\n');
  if (start > 0 && first_end != std::string::npos && first_end + 1 < tail.size()) tail.erase(0, first_end + 1);
  return std::string(absl::StripAsciiWhitespace(Printable(tail)));
}

}  // namespace vcd
